// What other API servers serve, beside what this one does: discovery and OpenAPI as clients see both together.
//
// Each function takes a document of this server's own and adds to it. Documents of others are read as far as they
// are what they should be; the rest is left out. Where others serve a version that is served here as well, theirs
// is the one that clients reach, so it takes the place of ours. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "control/api/api_aggregator.h"
#include "control/object/value.h"

namespace minik::control {

// Null when none of them serves that.
const RemoteApi* find_remote(const RemoteApis& apis, std::string_view group, std::string_view version);

Value with_remote_groups(const Value& group_list, const RemoteApis& apis);              // of /apis
Value with_remote_versions(const Value& group, std::string_view name, const RemoteApis& apis);  // of /apis/G; may be absent
// apidiscovery.k8s.io/v2; what could not be read anew is Stale, as Kubernetes has it.
Value with_remote_discovery(const Value& discovery, const RemoteApis& apis);
Value with_remote_openapi_v2(const Value& document, const RemoteApis& apis);
Value with_remote_openapi_v3(const Value& index, const RemoteApis& apis,
                             const std::function<std::string(const std::string& path)>& hash_of);
// Of a server that has only the older form: its definitions, and which kinds its paths are about. Absent when it has none.
Value remote_openapi_v3(const RemoteApi& api);

}  // namespace minik::control
