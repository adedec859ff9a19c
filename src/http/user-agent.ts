/**
 * What the edge calls itself in the questions that it asks, so that one filter takes them out of Glance's log; firewalls before
 * an origin are known to refuse requests without any such name. The version is package.json's; a test compares them.
 */
export const USER_AGENT = "glance-edge/0.1.0";
