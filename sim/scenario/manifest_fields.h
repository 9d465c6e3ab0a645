// What is wrong with a manifest's fields before any API server sees it: those that no object of its kind has, which a server
// would drop with a warning that nobody reads in a simulated run, and values of the wrong type.
//
// Whether required fields are there and values make sense is the API server's question, asked when it is applied. Pure.
#pragma once

#include <optional>
#include <string>

#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::sim {

struct FieldComplaint {
  std::string path;  // "spec.template.spec.containers[0].imagePullPolcy"; empty: of the object
  std::string what;
};

// The first; nothing when all is well. Of kinds that are defined at run time nothing is known.
std::optional<FieldComplaint> complaint_about(const control::ResourceInfo& resource, const control::Value& manifest);

}  // namespace minik::sim
