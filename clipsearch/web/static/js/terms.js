// The terms of a query, and their syntax: `house + 2:"a lake" - id:1f00c0`. The server parses the
// same syntax, see `clipsearch/web/query_text.py`.

const WORD = /(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/gsu;
const QUOTED = /"((?:[^"\\]|\\.)*)"?/gsu;
const WEIGHT = /^(-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?):(?=\D)(?=\S)/iu;
const IMAGE = /^(?:[iI][dD]:([0-9a-fA-F]{6,32})|image:(q_[0-9A-Za-z_-]+))$/u;
const PLAIN = /^[^\W\d]\w*(?: \w+)*$/u;

const unquote = (word) => word.replace(QUOTED, (_, inner) => inner.replace(/\\(.)/gsu, "$1"));

/** Parse a text into [{ kind, content, weight }]; an operator without a term is ignored. */
export function parseTerms(text) {
  const terms = [];
  let words = [];
  let sign = 1;
  let weight = 1;
  const closeText = () => {
    if (words.length) {
      terms.push({ kind: "text", content: words.join(" "), weight: sign * weight });
      words = [];
      sign = 1;
    }
  };
  for (const [word] of text.matchAll(WORD)) {
    if (word === "+" || word === "-") {
      closeText();
      sign = word === "+" ? 1 : -1;
      continue;
    }
    const prefix = WEIGHT.exec(word);
    const factor = prefix ? Number(prefix[1]) : 1;
    const bare = prefix ? word.slice(prefix[0].length) : word;
    const image = IMAGE.exec(bare);
    if (image) {
      closeText();
      const [kind, content] = image[1] ? ["id", image[1].toLowerCase()] : ["image", image[2]];
      terms.push({ kind, content, weight: sign * factor });
      sign = 1;
    } else if (words.length) {
      words.push(unquote(word));
    } else {
      weight = factor;
      words.push(unquote(bare));
    }
  }
  closeText();
  return terms.filter((term) => term.content.trim());
}

/** Write terms as a text that parses into them again. */
export function formatTerms(terms) {
  return terms
    .map((term, index) => {
      const sign = term.weight < 0 ? "- " : index ? "+ " : "";
      const size = Math.abs(term.weight);
      return `${sign}${size === 1 ? "" : `${size}:`}${formatContent(term)}`;
    })
    .join(" ");
}

function formatContent(term) {
  if (term.kind !== "text") return `${term.kind}:${term.content}`;
  if (PLAIN.test(term.content)) return term.content;
  return `"${term.content.replace(/[\\"]/gu, "\\$&")}"`;
}

export const sameContent = (one, other) => one.kind === other.kind && one.content === other.content;
