#include "minik/net/proxy_path.h"

namespace minik {

namespace {

constexpr std::string_view kProxy = "/proxy";

// Without the name's own part: "/api/v1/namespaces/NS/pods/NAME" has six, "/api/v1/nodes/NAME" four.
size_t end_of_name(std::string_view path) {
  const size_t parts = path.starts_with("/api/v1/namespaces/") ? 6 : 4;
  size_t at = 0;
  for (size_t i = 0; i < parts && at != std::string_view::npos; ++i) at = path.find('/', at + 1);
  return at;
}

}  // namespace

ProxyPath split_proxy_path(std::string_view path) {
  const size_t name_end = end_of_name(path);
  if (name_end == std::string_view::npos || path.substr(name_end, kProxy.size()) != kProxy) return {path, ""};
  return {path.substr(0, name_end + kProxy.size()), path.substr(name_end + kProxy.size())};
}

}  // namespace minik
