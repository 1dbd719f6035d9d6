import { Fragment } from 'react';

/** A sentence that names options: none of them is broken. */
export function Advice({ text }: { readonly text: string }) {
  return text.split(' ').map((word, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the words of a text do not move
    <Fragment key={index}>
      {index > 0 && ' '}
      {word.includes('--') ? <span className="whole">{word}</span> : word}
    </Fragment>
  ));
}

/** What to type: it may break between its words, never within an option. */
export function Command({ text }: { readonly text: string }) {
  return (
    <code>
      {text.split(' ').flatMap((word, index) => [
        index === 0 ? '' : ' ',
        // biome-ignore lint/suspicious/noArrayIndexKey: the words of a text do not move
        <span key={index} className="whole">
          {word}
        </span>,
      ])}
    </code>
  );
}
