// The text area of an Advanced Configuration as a code editor: <json-editor schema="ADDRESS" label="…"><textarea>…</textarea>
// The text area stays what is sent, and what is there without this.
//
// It is mounted in a shadow root: there CodeMirror keeps its styles in adoptedStyleSheets, which `style-src 'self'` allows.
// Tab is not bound, so that the keyboard can leave (WCAG 2.1.2).
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, lintKeymap, linter } from '@codemirror/lint';
import { EditorState, StateEffect } from '@codemirror/state';
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, hoverTooltip, keymap, lineNumbers } from '@codemirror/view';
import { highlighting, theme } from './look.js';
import { Language } from './language.js';

// The server said something else of the text that stands here.
const checked = StateEffect.define();
const isChecked = ({ transactions }) => transactions.some(({ effects }) => effects.some((effect) => effect.is(checked)));

// Text that takes the place of other text: left to the browser it would come with inline styles, which the policy refuses.
const typingOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const text = event.data;
    if (event.inputType !== 'insertText' || !text || view.composing) return false;
    // The state may not have heard of a new selection yet.
    const { anchorNode, anchorOffset, focusNode, focusOffset } = view.root.getSelection();
    if (!view.contentDOM.contains(anchorNode) || !view.contentDOM.contains(focusNode)) return false;
    const ends = [view.posAtDOM(anchorNode, anchorOffset), view.posAtDOM(focusNode, focusOffset)];
    const [from, to] = ends.sort((one, other) => one - other);
    if (from === to && text.length === 1) return false;
    event.preventDefault();
    const insert = () => view.state.update({
      changes: { from, to, insert: text }, selection: { anchor: from + text.length }, userEvent: 'input.type', scrollIntoView: true,
    });
    const handlers = view.state.facet(EditorView.inputHandler);
    if (!handlers.some((handle) => handle(view, from, to, text, insert))) view.dispatch(insert());
    return true;
  },
});

class JsonEditor extends HTMLElement {
  async connectedCallback() {
    const area = this.querySelector('textarea');
    if (!area || this.view) return;
    const schema = await fetch(this.getAttribute('schema')).then((answer) => (answer.ok ? answer.json() : {}));
    if (!this.isConnected || this.view) return;
    const language = new Language(schema);
    const root = this.attachShadow({ mode: 'open' });
    this.view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: area.value,
        extensions: [
          lineNumbers(), foldGutter(), lintGutter(), highlightActiveLine(), highlightActiveLineGutter(),
          history(), drawSelection(), indentUnit.of('  '), indentOnInput(), bracketMatching(), closeBrackets(),
          json(), syntaxHighlighting(highlighting), theme,
          linter((view) => [...language.problems(view.state), ...this.findings(view.state)], { delay: 250, needsRefresh: isChecked }),
          hoverTooltip((view, position) => language.hover(view.state, position)),
          autocompletion({ override: [(context) => language.complete(context)], icons: false }),
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, ...lintKeymap, ...completionKeymap]),
          typingOver,
          EditorState.readOnly.of(area.readOnly),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ 'aria-label': this.getAttribute('label') ?? 'JSON', 'aria-multiline': 'true' }),
          EditorView.updateListener.of(({ docChanged, state }) => {
            if (!docChanged) return;
            area.value = state.doc.toString();
            area.dispatchEvent(new Event('input', { bubbles: true }));
          }),
        ],
      }),
    });
    area.hidden = true;
    // A draft that is restored is written into the text area.
    area.addEventListener('input', () => {
      const { doc } = this.view.state;
      if (area.value !== doc.toString()) this.view.dispatch({ changes: { from: 0, to: doc.length, insert: area.value } });
    });
    // Who follows a label, a finding's line or an error summary to the text area arrives here.
    area.focus = () => this.view.focus();
    document.querySelector(`label[for="${area.id}"]`)?.addEventListener('click', () => this.view.focus());
    area.setSelectionRange = (from, to) => {
      this.view.dispatch({ selection: { anchor: from, head: to }, scrollIntoView: true });
    };
    // The server's findings stand in the page; when a check brings new ones, the marks follow.
    new MutationObserver(() => this.view.dispatch({ effects: checked.of(null) })).observe(this.closest('form'), { childList: true, subtree: true });
    this.classList.add('ready');
  }

  // What the server said of the text as it was checked, on its lines.
  findings(state) {
    const said = [...document.querySelectorAll('#findings [data-line]')];
    return said.flatMap((link) => {
      const item = link.closest('li');
      const number = Number(link.dataset.line);
      if (!(number >= 1 && number <= state.doc.lines)) return [];
      const { from, to, text } = state.doc.line(number);
      const severity = item.classList.contains('bad') ? 'error' : item.classList.contains('warn') ? 'warning' : 'info';
      const message = item.querySelector('span').textContent.trim();
      return [{ from: from + text.length - text.trimStart().length, to, severity, message }];
    });
  }
}

customElements.define('json-editor', JsonEditor);
