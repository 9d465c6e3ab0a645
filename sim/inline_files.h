// A scenario's document with the manifests that it names as files put in their places, so that it is whole by
// itself: what a trace keeps, what is shrunk, and what a Job takes to other machines. Pure but for the reading, which is
// the caller's.
#pragma once

#include "control/object/value.h"
#include "sim/scenario.h"

namespace minik::sim {

Result<control::Value> with_files_inline(const control::Value& document, const ScenarioFiles& files);

}  // namespace minik::sim
