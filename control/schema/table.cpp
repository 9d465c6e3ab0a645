#include "control/schema/table.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/custom_kind.h"
#include "control/schema/kinds.h"
#include "control/schema/table_rows.h"

namespace minik::control {

namespace {

constexpr TableColumn kDefaultColumns[] = {{"Name", "string"}, {"Created At", "date"}};

void default_cells(const Value& object, WallTime, Cells& cells) {
  cells.push_back(object.at({keys::kMetadata, keys::kCreationTimestamp}));
  if (cells.back().is_absent()) cells.back() = Value("");
}

constexpr TableColumn kScale[] = {{"Name", "string"}, {"Desired", "integer"}, {"Available", "integer"}, {"Age", "string"}};

void scale_cells(const Value& scale, WallTime now, Cells& cells) {
  cells.emplace_back(scale[keys::kSpec][keys::kReplicas].as_int());
  cells.emplace_back(scale[keys::kStatus][keys::kReplicas].as_int());
  cells.emplace_back(object_age(scale, now));
}

const TableLayout& layout_of(const ResourceInfo& resource) {
  static constexpr TableLayout kDefault{KindId{}, kDefaultColumns, default_cells};
  for (const auto layouts : {workload_layouts(), network_layouts(), cluster_layouts(), storage_layouts()}) {
    const auto found = std::ranges::find(layouts, resource.id, &TableLayout::kind);
    if (found != layouts.end()) return *found;
  }
  return kDefault;
}

Value column_definitions(const TableLayout& layout) {
  std::vector<Value> definitions;
  for (const auto& column : layout.columns) {
    const bool name = std::string_view(column.name) == "Name";
    definitions.push_back(Value::map({{keys::kName, Value(column.name)},
                                      {keys::kType, Value(column.type)},
                                      {keys::kFormat, name ? "name" : ""},
                                      {keys::kDescription, ""},
                                      {keys::kPriority, column.priority}}));
  }
  return Value::array(std::move(definitions));
}

Value row_object(const ResourceInfo& resource, const Value& object, TableObject include) {
  if (include == TableObject::kNone) return {};
  if (include == TableObject::kObject) {
    return object.with(keys::kApiVersion, Value(resource.api_version))
        .with(keys::kKind, Value(resource.kind));
  }
  return Value::map({{keys::kApiVersion, "meta.k8s.io/v1"},
                     {keys::kKind, "PartialObjectMetadata"},
                     {keys::kMetadata, object[keys::kMetadata]}});
}

// Says of a pod that has ended how, so that clients can leave it out.
Value row_conditions(const ResourceInfo& resource, const Value& object) {
  if (resource.id != kinds::kPods) return {};
  const auto phase = object[keys::kStatus][keys::kPhase].as_string();
  if (phase != "Succeeded" && phase != "Failed") return {};
  return Value::array({Value::map(
      {{keys::kType, "Completed"},
       {keys::kStatus, "True"},
       {keys::kReason, phase},
       {keys::kMessage, phase == "Failed" ? "The pod failed." : "The pod has completed successfully."}})});
}

std::vector<Value> cells_of(const TableLayout& layout, const Value& object, WallTime now) {
  Cells cells;
  cells.reserve(layout.columns.size());
  if (layout.names) cells.emplace_back(object_name(object));
  layout.cells(object, now, cells);
  CHECK(cells.size() == layout.columns.size()) << layout.kind.value;
  return cells;
}

Value table_of_rows(const Value& list_metadata, Value columns, std::vector<Value> rows) {
  return Value::map({{keys::kApiVersion, "meta.k8s.io/v1"},
                     {keys::kKind, "Table"},
                     {keys::kMetadata, list_metadata.is_map() ? list_metadata : Value::empty_map()},
                     {"columnDefinitions", std::move(columns)},
                     {"rows", Value::array(std::move(rows))}});
}

Value custom_definitions(const CustomKind& kind) {
  const auto column = [](std::string_view name, std::string_view type, std::string_view format,
                         std::string_view description, int64_t priority) {
    return Value::map({{keys::kName, Value(name)},
                       {keys::kType, Value(type)},
                       {keys::kFormat, Value(format)},
                       {keys::kDescription, Value(description)},
                       {keys::kPriority, priority}});
  };
  std::vector<Value> definitions{column("Name", "string", "name", "", 0)};
  for (const auto& c : kind.columns()) {
    definitions.push_back(column(c.name, c.type, c.format, c.description, c.priority));
  }
  return Value::array(std::move(definitions));
}

std::vector<Value> custom_cells(const CustomKind& kind, const Value& object, WallTime now) {
  std::vector<Value> cells{Value(object_name(object))};
  for (auto& cell : kind.cells(object, now)) cells.push_back(std::move(cell));
  return cells;
}

}  // namespace

std::span<const TableColumn> table_columns(const ResourceInfo& resource) {
  return layout_of(resource).columns;
}

std::vector<Value> table_cells(const ResourceInfo& resource, const Value& object, WallTime now) {
  return cells_of(layout_of(resource), object, now);
}

Value make_table(const ResourceInfo& resource, std::span<const Value> objects,
                 const Value& list_metadata, WallTime now, TableObject include) {
  const TableLayout& layout = layout_of(resource);
  std::vector<Value> rows;
  rows.reserve(objects.size());
  std::vector<Value> ordered;
  if (resource.id == kinds::kFlowschemas) {  // in the order in which they are asked
    const auto precedence = [](const Value& schema) { return schema[keys::kSpec][keys::kMatchingPrecedence].as_int(); };
    ordered.assign(objects.begin(), objects.end());
    std::stable_sort(ordered.begin(), ordered.end(),
                     [&](const Value& a, const Value& b) { return precedence(a) < precedence(b); });
    objects = ordered;
  }
  for (const auto& object : objects) {
    auto cells = resource.custom ? custom_cells(*resource.custom, object, now) : cells_of(layout, object, now);
    rows.push_back(Value::map({{"cells", Value::array(std::move(cells))},
                               {keys::kConditions, row_conditions(resource, object)},
                               {keys::kObject, row_object(resource, object, include)}}));
  }
  return table_of_rows(list_metadata, resource.custom ? custom_definitions(*resource.custom) : column_definitions(layout),
                       std::move(rows));
}

Value make_scale_table(const Value& scale, WallTime now, TableObject include) {
  static constexpr TableLayout kLayout{KindId{}, kScale, scale_cells};
  Value shown = scale;  // which says itself what it is
  if (include != TableObject::kObject) shown = row_object(ResourceInfo(), scale, include);
  const Value row = Value::map({{"cells", Value::array(cells_of(kLayout, scale, now))}, {keys::kObject, std::move(shown)}});
  const Value version = Value::map({{keys::kResourceVersion, scale[keys::kMetadata][keys::kResourceVersion]}});
  return table_of_rows(version, column_definitions(kLayout), {row});
}

std::string age_of(const Value& timestamp, WallTime now) {
  const auto time = parse_time(timestamp.as_string());
  return time ? format_age(now - *time) : "<unknown>";
}

std::string object_age(const Value& object, WallTime now) {
  return age_of(object.at({keys::kMetadata, keys::kCreationTimestamp}), now);
}

std::string or_none(std::string_view text) {
  return std::string(text.empty() ? "<none>" : text);
}

std::string labels_text(const Value& labels) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : labels.entries()) {
    parts.push_back(cat(key.text(), "=", value.as_string()));
  }
  return or_none(join(parts, ","));
}

std::string selector_text(const Value& selector) {
  const auto compiled = LabelSelector::from_object(selector);
  return compiled && !compiled->selects_nothing() ? or_none(compiled->text()) : "<none>";
}

void add_containers(const Value& pod_spec, Cells& cells) {
  for (const auto& key : {keys::kName, keys::kImage}) {
    std::vector<std::string> parts;
    for (const auto& container : pod_spec[keys::kContainers].items()) {
      parts.push_back(container[key].string());
    }
    cells.emplace_back(join(parts, ","));
  }
}

bool condition_is_true(const Value& status, std::string_view type) {
  for (const auto& condition : status[keys::kConditions].items()) {
    if (condition[keys::kType].as_string() == type) {
      return condition[keys::kStatus].as_string() == "True";
    }
  }
  return false;
}

std::string first_three(const std::vector<std::string>& parts) {
  constexpr size_t kShown = 3;
  if (parts.size() <= kShown) return join(parts, ",");
  const std::vector<std::string> shown(parts.begin(), parts.begin() + kShown);
  return cat(join(shown, ","), " + ", parts.size() - kShown, " more...");
}

}  // namespace minik::control
