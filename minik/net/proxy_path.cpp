#include "minik/net/proxy_path.h"

namespace minik {

namespace {

constexpr std::string_view kApi = "/api/v1/", kNamespaces = "namespaces/", kProxy = "/proxy";

// The word up to the next slash, which is taken away with it.
std::string_view next_word(std::string_view& rest) {
  const size_t slash = rest.find('/');
  const auto word = rest.substr(0, slash);
  rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
  return word;
}

}  // namespace

ProxyPath split_proxy_path(std::string_view path) {
  const ProxyPath none{path, ""};
  if (!path.starts_with(kApi)) return none;
  std::string_view rest = path.substr(kApi.size());
  const bool namespaced = rest.starts_with(kNamespaces);
  if (namespaced) next_word(rest), next_word(rest);
  const auto resource = next_word(rest);
  if (namespaced ? resource != "pods" && resource != "services" : resource != "nodes") return none;
  const size_t name_end = path.size() - rest.size() + rest.find('/');
  if (rest.find('/') == std::string_view::npos || path.substr(name_end, kProxy.size()) != kProxy) return none;
  const auto behind = path.substr(name_end + kProxy.size());
  if (!behind.empty() && behind[0] != '/') return none;
  return {path.substr(0, name_end + kProxy.size()), behind};
}

}  // namespace minik
