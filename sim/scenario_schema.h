// The JSON Schema of scenario files, for editors that complete and check YAML while one types:
//   minik sim validate --schema > scenario.schema.json
//
// It knows names, types and choices; `minik sim validate FILE` knows all the rest (kinds,
// selectors, expressions). A test holds it against the parser, so that neither knows a field that
// the other does not.
#pragma once

#include <string_view>

namespace minik::sim {

std::string_view scenario_schema();

}  // namespace minik::sim
