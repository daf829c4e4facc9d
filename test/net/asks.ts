/** How a packet of the namespace tests asks the test's server to be answered: its first octet. */
export const ASK_BROADCAST = 1;
export const ASK_LINK = 2;
export const ASK_UNICAST = 3;
/** The listener does not answer but throws, as no listener should. */
export const ASK_THROW = 4;
