/**
 * What JSON.parse does not read as it is written, or does not say.
 *
 * It keeps the last of two members with one name. And V8 of Node 24 and 26 may take a name that is written with an
 * escape, such as `"\u00b0"` or `"\""`, for another, as `"\\"`, when one of the same shape came before
 * (nodejs/node issue 63785). Values come right, and so do names without escapes.
 */

const [QUOTE, BACKSLASH, COLON, COMMA, MINUS, ZERO, NINE, SPACE] = [34, 92, 58, 44, 45, 48, 57, 32];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125];

/** One object has two members with one name: in other spellings (`\u0061`), or with the same value, too. */
export class DuplicateNameError extends SyntaxError {
  override readonly name = 'DuplicateNameError';
  /** Names and indices down to the member. */
  readonly path: readonly (string | number)[];
  constructor(path: readonly (string | number)[]) {
    super('stands twice in its object, and JSON would keep only the last: give each name once');
    this.path = path;
  }
}

/** JSON.parse with the names as they are written. Throws SyntaxError. */
export function parseJsonText(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return text.includes('\\') && surveyText(text).escapedName ? readValid(text, { twins: 'last' }) : value;
}

export type TextSurvey = {
  /** Of all objects, as written. */
  readonly members: number;
  readonly escapedName: boolean;
  /** Whether `isOdd` was true of a number that is long or has an exponent. */
  readonly oddNumber: boolean;
};

/** One cheap pass over a text that is valid JSON: some 3 ns a character, and nothing is kept. */
export function surveyText(text: string, isOdd: (source: string) => boolean = () => false): TextSurvey {
  let [members, escapedName, oddNumber] = [0, false, false];
  const mayEscape = text.includes('\\');
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (mayEscape && !escapedName && isName(text, end)) escapedName = text.slice(at, end).includes('\\');
      at = end;
    } else if (code === COLON) members += 1;
    else if (startsNumber(code)) {
      const end = endOfNumber(text, at);
      oddNumber ||= (end - at >= 16 || hasExponent(text, at, end)) && isOdd(text.slice(at, end));
      at = end - 1;
    }
  }
  return { members, escapedName, oddNumber };
}

export type ReadOptions = {
  /** What becomes of two members with one name: an error, or the last one counts. */
  readonly twins: 'refuse' | 'last';
  /** What a number is read as. Default: Number. */
  readonly numberOf?: (source: string) => unknown;
};

type Holder = {
  readonly value: Record<string, unknown> | unknown[];
  /** Of the member or item that is being read. */
  at: string | number;
};

/**
 * Reads a text that is valid JSON, several times slower than JSON.parse. Without recursion: a text may nest as deep as
 * it is long. Throws DuplicateNameError where `twins` are refused.
 */
export function readValid(text: string, { twins, numberOf = Number }: ReadOptions): unknown {
  const open: Holder[] = [];
  let root: unknown;
  const put = (value: unknown) => {
    const inner = open.at(-1);
    if (inner === undefined) root = value;
    // Also of the name `__proto__` this makes a member.
    else Object.defineProperty(inner.value, inner.at, { value, ...MEMBER });
  };
  const begin = (value: Holder['value'], at: Holder['at']) => {
    put(value);
    open.push({ value, at });
  };
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const inner = open.at(-1);
    if (code === OPEN_OBJECT) begin({}, '');
    else if (code === OPEN_LIST) begin([], 0);
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) open.pop();
    else if (code === COMMA && typeof inner?.at === 'number') inner.at += 1;
    else if (code === QUOTE) {
      const end = endOfString(text, at);
      const string = String(JSON.parse(text.slice(at, end + 1)));
      at = end;
      if (inner === undefined || !isName(text, end)) put(string);
      else {
        inner.at = string;
        if (twins === 'refuse' && Object.hasOwn(inner.value, string))
          throw new DuplicateNameError(open.map((one) => one.at));
      }
    } else if (startsNumber(code)) {
      const end = endOfNumber(text, at);
      put(numberOf(text.slice(at, end)));
      at = end - 1;
    } else {
      const word = WORDS.find(([start]) => start === code);
      if (word === undefined) continue;
      put(word[2]);
      at += word[1] - 1;
    }
  }
  return root;
}

const MEMBER = { writable: true, enumerable: true, configurable: true } as const;
/** First letter, length, value. */
const WORDS = [
  [116, 4, true],
  [102, 5, false],
  [110, 4, null],
] as const;

/** Of the closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (; text.charCodeAt(at) !== QUOTE && at < text.length; at += 1) {
    if (text.charCodeAt(at) === BACKSLASH) at += 1;
  }
  return at;
}

function startsNumber(code: number): boolean {
  return code === MINUS || (code >= ZERO && code <= NINE);
}

/** After its last character. */
function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  while (isOfNumber(text.charCodeAt(at))) at += 1;
  return at;
}

/** Digits, `.`, `-`, `+`, `e` and `E`. */
function isOfNumber(code: number): boolean {
  return (
    (code >= ZERO && code <= NINE) || code === 46 || code === MINUS || code === 43 || (code | 32) === 101
  );
}

function hasExponent(text: string, start: number, end: number): boolean {
  for (let at = start + 1; at < end; at += 1) if ((text.charCodeAt(at) | 32) === 101) return true;
  return false;
}

/** Whether the string that ends at this quote is followed by a colon. */
function isName(text: string, end: number): boolean {
  let at = end + 1;
  while (text.charCodeAt(at) <= SPACE) at += 1;
  return text.charCodeAt(at) === COLON;
}
