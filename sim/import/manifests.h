// From an exported object back to the manifest that somebody once applied: without status, identity, and what the
// server, controllers and cloud providers have written into it. Secrets lose their values.
//
// Pure functions; what is left out of a manifest that somebody might miss is said in the notes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"
#include "control/schema/schema.h"
#include "sim/import/notes.h"

namespace minik::sim {

// The objects of a stream of YAML or JSON documents, Lists taken apart.
Result<std::vector<control::Value>> read_objects(std::string_view text, std::string_view name);

// Null for a kind that no simulated cluster has.
const control::ResourceInfo* resource_of(const control::Value& object);

// "Deployment shop/web".
std::string title_of(const control::Value& object);

// Whether a controller, a node or the control plane makes it by itself.
bool makes_itself(const control::Value& object);

// Nothing when it cannot be carried over; the notes say why.
std::optional<control::Value> manifest_of(const control::Value& object, Notes& notes);

// What was sent to change an object (merged, or as a JSON patch), without what manifest_of() leaves out too: values of
// Secrets, and annotations that say what clients have done. Nothing when nothing is left.
std::optional<control::Value> patch_of(std::string_view kind, const std::string& title, const control::Value& sent, Notes& notes);

// Whether objects of other kinds cannot be created before it.
bool is_created_first(const control::Value& manifest);
// Manifests in an order in which they can be created: what others refer to first.
void sort_for_creation(std::vector<control::Value>& manifests);

}  // namespace minik::sim
