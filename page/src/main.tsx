/** The page of the edge: what it holds and does, for the operator. Built by scripts/build-page.ts. */
import { render } from "preact";
import { App } from "./app.tsx";
import "./style/base.css";
import "./style/frame.css";
import "./style/figures.css";
import "./style/images.css";
import "./style/forms.css";
import "./style/narrow.css";

const root = document.getElementById("page");
if (root !== null) render(<App />, root);
