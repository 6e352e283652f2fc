// Parts of pages that follow what is typed: elements with hx- attributes, each of which is a working link or form too. What is
// asked stays on this origin and nothing is evaluated, as htmx 4 does by itself.
import 'htmx.org';
