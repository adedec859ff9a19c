/**
 * What the edge calls itself in the questions that it asks of its own accord, so that one filter takes them out of Glance's
 * log. The version is package.json's; a test compares them.
 */
export const USER_AGENT = "glance-edge/0.1.0";
