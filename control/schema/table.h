// Tables: what `kubectl get` shows of each kind, as metav1.Table.
//
// Columns and cells are those of kube-apiserver 1.35, so that kubectl prints the same text: a pod's
// status is the word that its containers' states add up to (Init:0/1, CrashLoopBackOff, Completed,
// Terminating), ages are relative to `now`. A kind without columns of its own has Name and Created
// At.
//
// Pure functions: the object alone decides, so a row says nothing that is not in the object.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "control/base/time.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

struct TableColumn {
  std::string_view name;  // "Ready"; kubectl prints it in capitals
  std::string_view type;  // "string", "integer", "boolean" or "date"
  int priority = 0;       // 1: only with -o wide
};

// The row's `object`: metadata alone is the default.
enum class TableObject : uint8_t { kMetadata, kNone, kObject };

std::span<const TableColumn> table_columns(const ResourceInfo& resource);
// One cell for each column.
std::vector<Value> table_cells(const ResourceInfo& resource, const Value& object, WallTime now);

// `list_metadata` is the metadata of the list or object that the table stands for.
Value make_table(const ResourceInfo& resource, std::span<const Value> objects,
                 const Value& list_metadata, WallTime now, TableObject include);

// Of the subresource scale, whatever it belongs to.
Value make_scale_table(const Value& scale, WallTime now, TableObject include);

}  // namespace minik::control
