/** Decision traces as a story: what a client sent, what came of it, and by which steps. */
import { shown } from './table.ts';
import { cellText, instantText, isShape, type Shape, type View } from './views.ts';

export const WHY_VIEW: View = (value) => {
  const traces = (Array.isArray(value) ? value : []).filter(isShape);
  if (traces.length === 0) {
    return [
      'Nothing is remembered of this client: no packet of it came since the server started, or it was too long ago.',
      'Only the last packets of recent clients are kept. Is the client’s network served, and does its relay know this server?',
    ];
  }
  return traces.flatMap((trace, index) => (index === 0 ? traceLines(trace) : ['', ...traceLines(trace)]));
};

function traceLines(trace: Shape): readonly string[] {
  const about = [
    labelled('client-id', trace['clientId']),
    labelled('relay', trace['relay']),
    labelled('scope', trace['scopeId']),
  ].filter((part) => part !== '');
  const from = `${cellText(trace['hardware'], '')}${about.length === 0 ? '' : ` (${about.join(', ')})`}`;
  const steps = Array.isArray(trace['steps']) ? trace['steps'].map(String) : [];
  return [
    `${instantText(trace['at'])}  ${cellText(trace['messageType'], '')} from ${from}`,
    `  ${cellText(trace['outcome'], '')}: ${cellText(trace['reason'], '')}`,
    ...steps.map((step, index) => `    ${index + 1}. ${step}`),
  ].map(shown);
}

function labelled(label: string, value: unknown): string {
  const text = cellText(value, '');
  return text === '' ? '' : `${label} ${text}`;
}
