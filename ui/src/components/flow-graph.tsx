/** The graph of a flow, loaded only where it is shown. Its layout follows from the steps alone, so states change in place. */
import { cn } from "@/lib/cn";
import { useDark } from "@/lib/theme";
import dagre from "@dagrejs/dagre";
import { Background, Controls, type Edge, Handle, type Node, type NodeProps, Position, ReactFlow } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useMemo } from "react";
import { StatusIcon } from "./status";

export interface GraphStep {
  name: string;
  dependsOn: string[];
  status?: string;
  kind: string;
}

const WIDTH = 168;
const HEIGHT = 48;

type StepNode = Node<{ step: GraphStep; selected: boolean; leads: boolean }, "step">;

export default function FlowGraph({ steps, selected, onSelect, label }: {
  steps: GraphStep[];
  selected?: string | null;
  onSelect?: (name: string) => void;
  label: string;
}) {
  const dark = useDark();
  const shape = steps.map((step) => `${step.name}<${step.dependsOn.join(",")}`).join(";");
  const places = useMemo(() => layout(steps), [shape]);
  const leading = new Set(steps.flatMap((step) => step.dependsOn));
  const nodes: StepNode[] = steps.map((step) => ({
    id: step.name,
    type: "step",
    position: places.get(step.name) ?? { x: 0, y: 0 },
    data: { step, selected: step.name === selected, leads: leading.has(step.name) },
    width: WIDTH,
    height: HEIGHT,
    ariaLabel: `${step.name}${step.status ? `, ${step.status}` : ""}`,
  }));
  const edges: Edge[] = steps.flatMap((step) =>
    step.dependsOn.map((from) => ({
      id: `${from}/${step.name}`,
      source: from,
      target: step.name,
      animated: step.status === "running",
      focusable: false,
      style: { stroke: "var(--strong-line)" },
    })),
  );
  return (
    <ReactFlow
      key={shape}
      aria-label={label}
      colorMode={dark ? "dark" : "light"}
      nodes={nodes}
      edges={edges}
      nodeTypes={TYPES}
      nodesDraggable={false}
      nodesConnectable={false}
      fitView
      fitViewOptions={{ padding: 0.12, maxZoom: 1.1 }}
      minZoom={0.05}
      zoomOnScroll={false}
      preventScrolling={false}
      onNodeClick={(_, node) => onSelect?.(node.id)}
      style={{ background: "transparent" }}
    >
      <Background color="var(--line)" gap={18} />
      <Controls showInteractive={false} />
    </ReactFlow>
  );
}

function StepBox({ data }: NodeProps<StepNode>) {
  const { step, selected, leads } = data;
  return (
    <div
      className={cn(
        "flex h-full w-full items-center gap-2 rounded-md border bg-surface px-3 text-left shadow-xs",
        selected ? "border-accent ring-2 ring-accent/30" : step.status === "failed" ? "border-bad" : "border-line",
      )}
    >
      <Handle type="target" position={Position.Left} className={cn(HANDLE, step.dependsOn.length === 0 && "!opacity-0")} />
      {step.status && <StatusIcon status={step.status} />}
      <span className="min-w-0">
        <span className="block truncate text-[13px] font-medium text-ink">{step.name}</span>
        <span className="block truncate text-[11px] text-muted">{step.kind}</span>
      </span>
      <Handle type="source" position={Position.Right} className={cn(HANDLE, !leads && "!opacity-0")} />
    </div>
  );
}

const HANDLE = "!size-1.5 !border-0 !bg-strong-line";
const TYPES = { step: StepBox };

function layout(steps: GraphStep[]): Map<string, { x: number; y: number }> {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 18, ranksep: 40 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const step of steps) graph.setNode(step.name, { width: WIDTH, height: HEIGHT });
  for (const step of steps) for (const from of step.dependsOn) graph.setEdge(from, step.name);
  dagre.layout(graph);
  return new Map(
    steps.map((step) => {
      const node = graph.node(step.name);
      return [step.name, { x: node.x - WIDTH / 2, y: node.y - HEIGHT / 2 }];
    }),
  );
}
