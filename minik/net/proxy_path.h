// Where a path of the API ends and the path of who is behind the proxy subresource begins. Pure.
#pragma once

#include <string_view>

namespace minik {

// "/api/v1/namespaces/default/pods/web/proxy" and "/a/b" of such a path; the rest is empty where it ends there.
struct ProxyPath {
  std::string_view prefix, rest;
};
ProxyPath split_proxy_path(std::string_view path);

}  // namespace minik
