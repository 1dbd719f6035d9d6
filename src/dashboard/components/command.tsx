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
