// What the JSON Schema of an Advanced Configuration says of a text: problems, the meaning of a member, what may be written.
import { snippet } from '@codemirror/autocomplete';
import { TextDocument, getLanguageService } from 'vscode-json-languageservice';

const SEVERITIES = { 1: 'error', 2: 'warning' };

export class Language {
  #service = getLanguageService({});
  #version = 0;
  #read = null;

  constructor(schema) {
    this.#service.configure({ validate: true, schemas: [{ uri: 'inmemory://schema', fileMatch: ['*'], schema }] });
  }

  // Parsed once for each text.
  #parse(state) {
    if (this.#read?.state !== state.doc) {
      const text = TextDocument.create('inmemory://configuration.json', 'json', ++this.#version, state.doc.toString());
      this.#read = { state: state.doc, text, tree: this.#service.parseJSONDocument(text) };
    }
    return this.#read;
  }

  problems = (state) => {
    const { text, tree } = this.#parse(state);
    if (!text.getText().trim()) return [];
    // Only what makes it no JSON at all: the server says the rest, in the same words as everywhere.
    return tree.syntaxErrors.map(({ range, severity, message }) => {
      const from = text.offsetAt(range.start);
      return { from, to: Math.max(from, text.offsetAt(range.end)), severity: SEVERITIES[severity] ?? 'error', message };
    });
  };

  hover = async (state, position) => {
    const { text, tree } = this.#parse(state);
    const found = await this.#service.doHover(text, text.positionAt(position), tree);
    if (!found) return null;
    const said = [found.contents].flat().map((part) => part.value ?? part).join('\n').replaceAll('\\', '');
    return {
      pos: found.range ? text.offsetAt(found.range.start) : position,
      end: found.range ? text.offsetAt(found.range.end) : position,
      above: true,
      create: () => ({ dom: Object.assign(document.createElement('div'), { className: 'cm-docs', textContent: said }) }),
    };
  };

  complete = async (context) => {
    const { text, tree } = this.#parse(context.state);
    const found = await this.#service.doComplete(text, text.positionAt(context.pos), tree);
    if (!found?.items.length) return null;
    const range = found.items[0].textEdit?.range;
    return {
      from: range ? text.offsetAt(range.start) : context.pos,
      to: range ? text.offsetAt(range.end) : context.pos,
      options: found.items.map((item) => {
        const inserted = (item.textEdit?.newText ?? item.insertText ?? item.label).replace(/\$(\d+)/g, '${$1}');
        return {
          // What is typed begins with a quote, and so must what it is compared with.
          label: item.filterText ?? item.label,
          displayLabel: item.label,
          detail: item.detail,
          info: item.documentation?.value ?? item.documentation,
          apply: (view, completion, from, to) => snippet(inserted)(view, completion, from, to),
        };
      }),
    };
  };
}
