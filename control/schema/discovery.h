// Discovery: how a server says what it serves, in the documents that clients read first.
//
//   /api, /apis, /apis/G          APIVersions, APIGroupList, APIGroup
//   /api/v1, /apis/G/V            APIResourceList
//   /api, /apis (aggregated)      APIGroupDiscoveryList, apidiscovery.k8s.io/v2
//
// Made from the resources that are handed in: those a server has switched on. Groups stand in the
// order in which Kubernetes prefers them, because clients take the first that knows a short name.
// Pure.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

using EnabledResources = std::span<const ResourceInfo* const>;

// Of /api: APIVersions.
Value discover_core_versions(std::string_view server_address);
// Of /apis: every group but the core one.
Value discover_groups(EnabledResources enabled);
// Absent when the group, or the version in it, has no enabled resource.
Value discover_group(EnabledResources enabled, std::string_view group);
Value discover_resources(EnabledResources enabled, std::string_view group,
                         std::string_view version);

// The core group is /api's part of aggregated discovery, all others are /apis'.
enum class DiscoveryPart : unsigned char { kCore, kGroups };
Value discover_all(EnabledResources enabled, DiscoveryPart part);

// "apps", in the order of preference; the core group is "".
std::vector<std::string_view> groups_by_preference(EnabledResources enabled);
// Newest first.
std::vector<std::string_view> versions_of(EnabledResources enabled, std::string_view group);

}  // namespace minik::control
