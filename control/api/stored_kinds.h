// How the disk names kinds, for every cluster that keeps its state in a SqliteLog: by the resource and its group, as
// "pods" or "deployments.apps". Two forms of one kind (twin_kinds.h) have one name, which is that of the kind that is
// stored; a custom kind that is not defined yet gets its number here, before its definition is read.
//
// name() and find() are each other's inverse over the kinds that are stored. The Schema outlives what is handed out.
#pragma once

#include "control/schema/schema.h"
#include "control/store/sqlite_log.h"

namespace minik::control {

KindNames stored_kind_names(const Schema& schema);

}  // namespace minik::control
