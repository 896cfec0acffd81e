// What Grafana's types allow, as JSON says it: an enumeration is its value, and anything may stand where they say `any`.
import type * as schema from "@grafana/schema";
import type * as bargauge from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

export type Json<T> = unknown extends T
  ? unknown
  : T extends string
    ? `${T}`
    : T extends number | boolean | null | undefined
      ? T
      : { [K in keyof T]: Json<T[K]> };

type Kind<Type extends string, Options, Field> = Omit<schema.Panel, "options" | "fieldConfig" | "type" | "targets"> & {
  type: Type;
  options: Partial<Options>;
  fieldConfig: { defaults: Omit<schema.FieldConfig, "custom"> & { custom?: Field }; overrides: schema.FieldConfigSource["overrides"] };
  targets: Query[];
};

// The query editor of Prometheus keeps its types to itself; these are the members that it reads.
interface Query extends schema.DataQuery {
  expr: string;
  legendFormat?: string;
  format?: "time_series" | "table" | "heatmap";
  editorMode?: "code" | "builder";
  instant?: boolean;
  range?: boolean;
}

export type Panel = Json<
  | schema.RowPanel
  | Kind<"bargauge", bargauge.Options, never>
  | Kind<"heatmap", heatmap.Options, heatmap.FieldConfig>
  | Kind<"stat", stat.Options, never>
  | Kind<"timeseries", timeseries.Options, timeseries.FieldConfig>
>;

// `titleFormat` is the Prometheus data source's own.
type Annotation = Omit<schema.AnnotationQuery, "target"> & { target: Query & { interval?: string }; titleFormat?: string };

export type Dashboard = Json<Omit<schema.Dashboard, "panels" | "id" | "annotations"> & { id: null; annotations: { list: Annotation[] } }> & {
  panels: Panel[];
};
