#include "minik/cli/object_view.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <vector>

#include "control/api/twin_kinds.h"
#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/diff.h"
#include "control/object/json.h"
#include "control/object/yaml.h"
#include "control/schema/table.h"
#include "minik/cli/simulation.h"
#include "sim/trace_diff.h"

namespace minik::cli {

using control::ResourceInfo;
using control::Value;

namespace {

const ResourceInfo* find_resource(const std::string& word) {
  const std::string wanted = to_lower(word);
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (!resource.has_verb("get") || control::twin_of(resource.id)) continue;  // what is shown is what is stored
    if (wanted == resource.plural || wanted == resource.singular || wanted == to_lower(resource.kind) ||
        wanted == resource.group_resource()) {
      return &resource;
    }
    for (const auto short_name : split(resource.short_names, ' ')) {
      if (!short_name.empty() && wanted == short_name) return &resource;
    }
  }
  fail(Error(ErrorCode::kBadRequest, cat("there is no kind ", minik::quoted(word), "; give one as kubectl takes it, such as pods or deploy")), kNotValid);
}

std::string cell_text(const Value& cell) {
  if (cell.is_string()) return cell.string();
  return cell.has_value() ? control::to_json(cell) : "<none>";
}

size_t columns_of(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns_of(row[i]));
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(widths[i] - columns_of(row[i]) + 3, ' ');
    }
    std::printf("%s\n", line.c_str());
  }
}

void print_counts(const sim::TraceState& state) {
  std::map<std::string, size_t> counts;
  for (const auto& [key, object] : state.objects()) ++counts[key.resource];
  std::vector<std::vector<std::string>> rows{{"RESOURCE", "OBJECTS"}};
  for (const auto& [resource, count] : counts) rows.push_back({resource, cat(count)});
  print_table(rows);
}

void print_as_table(const ResourceInfo& resource, const std::vector<Value>& objects, bool wide, WallTime now) {
  std::vector<std::vector<std::string>> rows(1);
  if (resource.namespaced) rows[0].emplace_back("NAMESPACE");
  const auto columns = control::table_columns(resource);
  const auto shown = [&](size_t i) { return wide || columns[i].priority == 0; };
  for (size_t i = 0; i < columns.size(); ++i) {
    std::string title(columns[i].name);
    std::ranges::transform(title, title.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    if (shown(i)) rows[0].push_back(title);
  }
  for (const auto& object : objects) {
    auto& row = rows.emplace_back();
    if (resource.namespaced) row.emplace_back(control::object_namespace(object));
    const auto cells = control::table_cells(resource, object, now);
    for (size_t i = 0; i < cells.size(); ++i) {
      if (shown(i)) row.push_back(cell_text(cells[i]));
    }
  }
  print_table(rows);
}

}  // namespace

ObjectSelection select_objects(const std::string& kind, const std::string& name, const std::string& namespace_) {
  ObjectSelection selection;
  selection.namespace_ = namespace_;
  selection.name = name;
  std::string word = kind;
  if (const size_t slash = kind.find('/'); slash != std::string::npos && name.empty()) {
    selection.name = kind.substr(slash + 1);
    word = kind.substr(0, slash);
  }
  if (!word.empty()) selection.resource = find_resource(word);
  return selection;
}

sim::TracedKey watched_object(const std::string& text, const std::string& namespace_) {
  const auto selection = select_objects(text, "", namespace_);
  if (!selection.resource || selection.name.empty()) {
    fail(Error(ErrorCode::kBadRequest, cat("--watch ", text, ": give KIND/NAME, such as deployment/web")), kNotValid);
  }
  const std::string space = !selection.resource->namespaced ? "" : namespace_.empty() ? "default" : namespace_;
  return {selection.resource->group_resource(), control::ObjectKey{space, selection.name}.text()};
}

void print_objects(const sim::TraceState& state, const ObjectSelection& selection, const std::string& format, WallTime now) {
  if (!selection.resource) {
    print_counts(state);
    return;
  }
  const auto& resource = *selection.resource;
  std::vector<Value> objects;
  for (const auto& [key, object] : state.objects()) {
    if (key.resource != resource.group_resource()) continue;
    if (!selection.namespace_.empty() && control::object_namespace(object) != selection.namespace_) continue;
    if (!selection.name.empty() && control::object_name(object) != selection.name) continue;
    objects.push_back(control::typed(object, resource.api_version, resource.kind));
  }
  if (objects.empty() && !selection.name.empty()) {
    fail(Error(ErrorCode::kNotFound, cat("there is no ", resource.singular, " ", minik::quoted(selection.name), " at that time")), kFailed);
  }
  const bool one = !selection.name.empty() && objects.size() == 1;
  const Value document = one ? objects[0]
                             : Value::map({{"apiVersion", "v1"}, {"kind", "List"}, {"items", Value::array(objects)}});
  if (format == "json") {
    std::printf("%s", control::to_pretty_json(document).c_str());
  } else if (format == "yaml") {
    std::printf("%s", control::to_yaml(document).c_str());
  } else if (format == "name") {
    for (const auto& object : objects) std::printf("%s/%s\n", resource.group_resource().c_str(), std::string(control::object_name(object)).c_str());
  } else if (objects.empty()) {
    std::printf("no %s at that time\n", std::string(resource.plural).c_str());
  } else {
    print_as_table(resource, objects, format == "wide", now);
  }
}

void print_change(Duration at, const Value& before, const Value& after) {
  const std::string time = format_duration(at);
  if (after.is_absent()) {
    std::printf("%s  deleted\n", time.c_str());
  } else if (before.is_absent()) {
    std::printf("%s  created\n%s", time.c_str(), control::to_yaml(after).c_str());
  } else {
    std::printf("%s  changed\n%s", time.c_str(), sim::describe_changes(control::make_json_patch(before, after)).c_str());
  }
}

}  // namespace minik::cli
