// How the editor looks: the page's own colours, which a shadow root inherits.
import { HighlightStyle } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

export const highlighting = HighlightStyle.define([
  { tag: tags.propertyName, color: 'var(--ed-key)' },
  { tag: tags.string, color: 'var(--ed-str)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--ed-num)' },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: 'var(--ed-punc)' },
]);

export const theme = EditorView.theme({
  '&': { color: 'var(--text)', backgroundColor: 'var(--surface)', fontSize: '13px' },
  // The ring is around <json-editor>.
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '21px', minHeight: '336px' },
  '.cm-content': { padding: '8px 0', caretColor: 'var(--accent)' },
  '.cm-cursor': { borderLeftColor: 'var(--accent)', borderLeftWidth: '2px' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--text-3)', border: '0' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'var(--ed-line)' },
  '.cm-selectionBackground, &.cm-focused .cm-selectionBackground': { backgroundColor: 'var(--accent-soft) !important' },
  '.cm-tooltip, .cm-panels': { backgroundColor: 'var(--raised)', color: 'var(--text)', border: '1px solid var(--line-2)', borderRadius: '8px' },
  '.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', padding: '4px' },
  '.cm-tooltip-autocomplete > ul > li': { borderRadius: '4px', padding: '2px 8px' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--accent-bg)', color: 'var(--on-accent)' },
  '.cm-completionInfo, .cm-docs': { padding: '9px 12px', maxWidth: '320px', font: '13px/1.45 var(--sans)', color: 'var(--text-2)', whiteSpace: 'pre-wrap' },
  '.cm-lintRange': { backgroundImage: 'none', textDecoration: 'underline wavy 1px', textUnderlineOffset: '4px' },
  '.cm-lintRange-info': { textDecorationColor: 'var(--info)' },
  '.cm-lintRange-warning': { textDecorationColor: 'var(--warn)' },
  '.cm-lintRange-error': { textDecorationColor: 'var(--bad)' },
});
