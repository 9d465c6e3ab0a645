// The kinds' own rows of tables, and the pieces of text that they share. Inside control/schema
// only.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/time.h"
#include "control/object/object_ref.h"
#include "control/object/value.h"
#include "control/schema/table.h"

namespace minik::control {

using Cells = std::vector<Value>;

struct TableLayout {
  KindId kind;
  std::span<const TableColumn> columns;
  // Appends all cells but the first: that is the name wherever `names` is true.
  void (*cells)(const Value& object, WallTime now, Cells& cells);
  bool names = true;
};

std::span<const TableLayout> workload_layouts();  // table_workloads.cpp
std::span<const TableLayout> network_layouts();   // table_network.cpp
std::span<const TableLayout> cluster_layouts();   // table_cluster.cpp
std::span<const TableLayout> storage_layouts();   // table_storage.cpp

// "5m", or "<unknown>" without a time.
std::string age_of(const Value& timestamp, WallTime now);
std::string object_age(const Value& object, WallTime now);
std::string or_none(std::string_view text);  // "<none>" when empty
// metav1.LabelSelector and plain maps of labels, in selector form.
std::string selector_text(const Value& selector);
std::string labels_text(const Value& labels);
// The names and images of a pod template's containers, separated by commas.
void add_containers(const Value& pod_spec, Cells& cells);
// status.conditions of this type is "True".
bool condition_is_true(const Value& status, std::string_view type);
// The first three, and how many more.
std::string first_three(const std::vector<std::string>& parts);

}  // namespace minik::control
