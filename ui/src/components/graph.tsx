import { Suspense, lazy } from "react";
import type { GraphStep } from "./flow-graph";
import { Empty, Loading } from "./ui/faces";

const FlowGraph = lazy(() => import("./flow-graph"));

/** Steps above which a picture says less than the list, and its layout takes seconds. */
const DRAWN = 400;

export function Graph(props: { steps: GraphStep[]; selected?: string | null; onSelect?: (name: string) => void; label: string }) {
  if (props.steps.length === 0) return <Empty title="This flow has no steps" />;
  if (props.steps.length > DRAWN) {
    return <Empty title={`${props.steps.length.toLocaleString()} steps are too many for a picture`}>The list of steps and the timeline show all of them.</Empty>;
  }
  return (
    <Suspense fallback={<Loading label="Loading the graph" />}>
      <div className="h-full min-h-72">
        <FlowGraph {...props} />
      </div>
    </Suspense>
  );
}
