// Which part of the graph is drawn, and where: the most frequent touchpoints and steps, laid out by dagre in an order that
// depends on nothing but the graph, so that it looks the same each time. Pure.
import { Graph, layout } from "@dagrejs/dagre";

export const nameOf = (node) => `${node.channel ?? ""} ${node.kind}`;
const ENDS = ["start", "closed", "dropped"];
const WIDE = 168;
const HIGH = 46;

// The most frequent of both kinds, by shares of 0 to 100; ends are always shown. `left` counts steps that are not.
export function chosen(graph, activities, connections) {
  const ranked = [...graph.nodes].sort((a, b) => b.touchpoints - a.touchpoints || nameOf(a).localeCompare(nameOf(b)));
  const nodes = ranked.slice(0, Math.max(1, Math.ceil((ranked.length * activities) / 100)));
  const names = new Set(nodes.map(nameOf));
  const isShown = (node) => ENDS.includes(node.kind) || names.has(nameOf(node));
  const possible = graph.edges.filter((edge) => isShown(edge.from) && isShown(edge.to)).sort((a, b) => b.count - a.count || idOf(a).localeCompare(idOf(b)));
  const edges = possible.slice(0, Math.max(1, Math.ceil((possible.length * connections) / 100)));
  const all = graph.edges.reduce((sum, edge) => sum + edge.count, 0);
  return { nodes, edges, left: all - edges.reduce((sum, edge) => sum + edge.count, 0) };
}

export const idOf = (edge) => `${nameOf(edge.from)} → ${nameOf(edge.to)}`;

// Where everything stands, in pixels: nodes by their middle, edges as points to draw a line through.
export function drawn({ nodes, edges }) {
  const graph = new Graph({ multigraph: false });
  graph.setGraph({ rankdir: "LR", nodesep: 26, ranksep: 70, marginx: 16, marginy: 16 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Map(nodes.map((node) => [nameOf(node), node]));
  for (const edge of edges) for (const end of [edge.from, edge.to]) if (!known.has(nameOf(end))) known.set(nameOf(end), end);
  for (const name of [...known.keys()].sort()) graph.setNode(name, { width: WIDE, height: HIGH });
  for (const edge of [...edges].sort((a, b) => idOf(a).localeCompare(idOf(b)))) {
    if (nameOf(edge.from) !== nameOf(edge.to)) graph.setEdge(nameOf(edge.from), nameOf(edge.to));
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const at = (name) => graph.node(name);
  return {
    width, height: height + 20,
    nodes: [...known].map(([name, node]) => ({ name, node, x: at(name).x, y: at(name).y })),
    edges: edges.map((edge) => {
      const from = nameOf(edge.from);
      const own = at(from);
      const points = from === nameOf(edge.to)
        ? [{ x: own.x - 20, y: own.y - HIGH / 2 }, { x: own.x, y: own.y - HIGH / 2 - 22 }, { x: own.x + 20, y: own.y - HIGH / 2 }]
        : graph.edge(from, nameOf(edge.to)).points;
      return { edge, points };
    }),
  };
}
