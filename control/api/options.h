// What a request's query and DeleteOptions ask for: metav1's ListOptions, CreateOptions,
// UpdateOptions, PatchOptions and DeleteOptions as one RequestOptions.
//
// A value that Kubernetes does not know is refused as Invalid with the field in its causes rather
// than taken for a default: a mistyped propagationPolicy must not delete dependents, a mistyped
// dryRun must not write. Unknown parameters are ignored, as Kubernetes ignores them. Pure functions
// on values, any thread. Whether a revision is still there is the ApiServer's question.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/base/result.h"
#include "control/client/request.h"

namespace minik::control {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

// Of the name of a field manager.
inline constexpr size_t kManagerBytesMax = 128;

// `verb` names the options in messages and says which combinations are allowed.
Status read_options(Verb verb, const QueryParameters& parameters, RequestOptions& options);

// Whether a parameter says yes, as Kubernetes reads it: everything but "false", in any case, and "0" does, also a name
// without a value (?watch) and Python's "True".
bool query_truth(std::string_view value);
// The first parameter of this name decides; without one it is a no.
bool query_flag(const QueryParameters& parameters, std::string_view name);

// Force is for apply alone.
Status check_patch_options(PatchType type, const RequestOptions& options);

// metav1.DeleteOptions in the body of a delete say the same as the query, and win.
Status read_delete_options(const Value& body, RequestOptions& options);

}  // namespace minik::control
