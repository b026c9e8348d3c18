// Says in the log which team an issue on GitHub goes to: by its labels, else by a word in its title.

import { plugin, Reject } from "hookgate-plugin";

interface IssueEvent {
  issue?: { number: number; title: string; labels?: { name: string }[] };
}

/** Which labels and which words in a title mean a team. */
type Teams = Record<string, { labels?: string[]; words?: string[] }>;

const teams: Teams = {
  docs: { labels: ["documentation"], words: ["typo", "readme"] },
  security: { labels: ["security"], words: ["vulnerability", "cve"] },
};

export default plugin({
  name: "label-router",
  version: "0.1.0",
  settings: {
    teams: { default: JSON.stringify(teams), about: "A table of teams, each with `labels` and `words`." },
    otherwise: { default: "triage", about: "Who gets what is nobody's." },
  },
  on: {
    "github:issues.opened, github:issues.labeled": (event, { settings }) => {
      const { issue } = event.json<IssueEvent>();
      if (!issue) throw new Reject("an issue event without an issue");
      const labels = (issue.labels ?? []).map(({ name }) => name);
      const team = teamFor(issue.title, labels, JSON.parse(settings.teams)) ?? settings.otherwise;
      console.log(`#${issue.number} goes to ${team}: ${issue.title}`);
    },
  },
});

function teamFor(title: string, labels: string[], teams: Teams): string | undefined {
  const words = new Set(title.toLowerCase().split(/[\s\p{P}]+/u));
  const byLabel = Object.keys(teams).find((team) => teams[team].labels?.some((label) => labels.includes(label)));
  return byLabel ?? Object.keys(teams).find((team) => teams[team].words?.some((word) => words.has(word.toLowerCase())));
}
