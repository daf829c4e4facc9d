/**
 * One command from its options to its exit code: choose the operation, ask where Windows asks, call the server, show the
 * answer. Results go to stdout and everything else to stderr, so that `--json` output can be piped as it is.
 */
import { problemText } from '../../core/problems/catalogue.ts';
import type { Operation } from '../../manage/operation.ts';
import { problemJson } from '../rest/problem-json.ts';
import { type CallResult, type ConnectionOptions, callServer } from './client.ts';
import type { Given } from './command-spec.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { problemLines, refusalText } from './problem-text.ts';
import { withProgress } from './progress.ts';
import { shown } from './table.ts';
import { automaticView, isShape, type View } from './views.ts';
import type { CliWorld } from './world.ts';

export interface RunOptions extends ConnectionOptions {
  readonly json: boolean;
  readonly whatIf: boolean;
  /** The question is answered already, by Force or by a yes. */
  readonly isAgreed: boolean;
}

export interface Run {
  /** Undefined for a name that this release does not know; the server may. */
  readonly operation: Operation | undefined;
  readonly name: string;
  readonly params: Given;
  readonly options: RunOptions;
  readonly view: View | undefined;
}

export async function runOperation(world: CliWorld, run: Run): Promise<void> {
  if (!(await isConfirmed(world, run))) return;
  const call = { operation: { name: run.name }, params: run.params, whatIf: run.options.whatIf };
  const result = await withProgress(world, run.name, callServer(world, run.options, call));
  show(world, run, result);
}

function show(world: CliWorld, run: Run, result: CallResult): void {
  switch (result.kind) {
    case 'ok': {
      const { value, warnings, errors } = result.answer;
      for (const warning of warnings) world.stderr.write(problemOutput(run, 'warning', warning));
      for (const error of errors) world.stderr.write(problemOutput(run, 'error', error));
      if (run.options.json) world.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
      else {
        const lines =
          whatIfLines(value) ??
          (value === null ? automaticView : (run.view ?? automaticView))(value, { width: world.stdout.columns });
        world.stdout.write(lines.map((line) => `${line}\n`).join(''));
      }
      world.setExitCode(errors.length > 0 ? EXIT.partial : EXIT.ok);
      return;
    }
    case 'refused':
      world.stderr.write(run.options.json ? `${JSON.stringify(result.problem)}\n` : refusalText(result.problem));
      world.setExitCode(exitCodeOf(result.status, result.problem.code));
      return;
    case 'unreachable':
    case 'no-token':
      world.stderr.write(`error: ${shown(result.why)}\n  do:   ${shown(result.action)}\n`);
      world.setExitCode(result.kind === 'no-token' ? EXIT.notPermitted : EXIT.unreachable);
      return;
    default:
      result satisfies never;
  }
}

function problemOutput(run: Run, label: 'error' | 'warning', problem: Parameters<typeof problemLines>[1]): string {
  return run.options.json ? `${JSON.stringify(problem)}\n` : problemLines(label, problem);
}

/** The report of a what-if call (`WhatIfReport`). */
function whatIfLines(value: unknown): readonly string[] | undefined {
  if (!isShape(value) || Object.keys(value).length !== 1 || !Array.isArray(value['whatIf'])) return undefined;
  const lines = value['whatIf'].map((line) => `What if: ${shown(String(line))}`);
  return lines.length === 0 ? ['What if: nothing would change.'] : lines;
}

/**
 * Asks what Windows asks (management specification 1.9). A yes is not the same as Force, which some operations take as more
 * than silence, so it is not sent.
 */
async function isConfirmed(world: CliWorld, run: Run): Promise<boolean> {
  const { operation, options } = run;
  if (operation?.confirm === undefined || options.whatIf || options.isAgreed) return true;
  // `call` gives Force among the parameters.
  if (run.params['Force'] === true) return true;
  const parsed = operation.params.safeParse(run.params);
  // What the schema refuses the server refuses too, in its own words.
  if (!parsed.success) return true;
  const question = operation.confirm(parsed.data);
  if (question === undefined) return true;
  if (world.isInteractive) {
    const answer = await world.ask(`${shown(question)} [y/N] `);
    if (/^y(?:es)?$/i.test(answer.trim())) return true;
    world.stderr.write('Nothing was changed.\n');
    world.setExitCode(EXIT.refused);
    return false;
  }
  const problem = { code: 'request/cancelled', slots: { operation: operation.name } };
  // The catalogue's text speaks to PowerShell, whose switches have one dash.
  const detail = `${shown(question).replace(/ Go on\?$/, '')} ${problemText(problem).replace('-Force', '--yes or --force')}`;
  const document = { ...problemJson(problem), detail };
  world.stderr.write(options.json ? `${JSON.stringify(document)}\n` : problemLines('error', document));
  world.setExitCode(EXIT.refused);
  return false;
}
