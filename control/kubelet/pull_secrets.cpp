#include "control/kubelet/pull_secrets.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kHub = "docker.io", kHubsOldName = "index.docker.io";

// Host, port and path of a registry's entry, or of an image.
struct Place {
  std::vector<std::string_view> host;  // its parts
  std::string_view port, path;         // the path with its slash

  explicit Place(std::string_view text) {
    const size_t slash = std::min(text.find('/'), text.size());
    path = text.substr(slash);
    std::string_view name = text.substr(0, slash);
    if (const size_t colon = name.rfind(':'); colon != std::string_view::npos && !name.ends_with(']')) {
      port = name.substr(colon + 1);
      name = name.substr(0, colon);
    }
    host = split(name, '.');
  }
};

bool matches_glob(std::string_view glob, std::string_view text) {
  size_t at = 0, in = 0, star = std::string_view::npos, resume = 0;
  while (in < text.size()) {
    if (at < glob.size() && glob[at] == '*') {
      star = at++;
      resume = in;
    } else if (at < glob.size() && (glob[at] == '?' || glob[at] == text[in])) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star + 1;  // the last star takes one more
      in = ++resume;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', at) == std::string_view::npos;
}

bool is_for(std::string_view entry, std::string_view repository) {
  const Place asked(entry), image(repository);
  return asked.port == image.port && image.path.starts_with(asked.path) && std::ranges::equal(asked.host, image.host, matches_glob);
}

// The image without tag and digest, with its registry.
std::string repository_of(std::string_view image) {
  image = image.substr(0, image.find('@'));
  const size_t slash = image.rfind('/');
  if (const size_t colon = image.rfind(':'); colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    image = image.substr(0, colon);
  }
  if (slash == std::string_view::npos) return cat(kHub, "/library/", image);
  const auto first = image.substr(0, image.find('/'));
  const bool is_registry = first.find_first_of(".:") != std::string_view::npos || first == "localhost";
  return is_registry ? std::string(image) : cat(kHub, "/", image);
}

// As it is compared with an image.
std::string entry_name(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  const size_t slash = std::min(key.find('/'), key.size());
  std::string_view path = key.substr(slash);
  if (path.starts_with("/v1/") || path.starts_with("/v2/")) path.remove_prefix(3);
  return path == "/" ? std::string(key.substr(0, slash)) : cat(key.substr(0, slash), path);
}

std::optional<PullCredentials> credentials_of(const Value& entry) {
  PullCredentials found{entry.get("username").string(), entry.get("password").string()};
  if (const auto both = from_base64(entry.get("auth").as_string()); both && !both->empty()) {
    const size_t colon = both->find(':');
    if (colon == std::string::npos) return std::nullopt;
    found = {both->substr(0, colon), both->substr(colon + 1)};
    while (found.password.ends_with('\0')) found.password.pop_back();
  }
  if (found.username.empty() && found.password.empty()) return std::nullopt;
  return found;
}

// What the Secret lists by registry; absent where it is not one that lists any.
Value registries_of(const Value& secret) {
  const auto type = secret[keys::kType].as_string();
  const bool whole_file = type == "kubernetes.io/dockerconfigjson";
  if (!whole_file && type != "kubernetes.io/dockercfg") return {};
  const auto text = from_base64(secret[keys::kData].get(whole_file ? ".dockerconfigjson" : ".dockercfg").as_string());
  const auto document = parse_json(text.value_or(""));
  if (!document) return {};
  return whole_file ? document->get("auths") : *document;
}

}  // namespace

std::vector<PullCredentials> credentials_for(std::string_view image, const std::vector<Value>& secrets) {
  std::map<std::string, std::vector<PullCredentials>, std::greater<>> known;
  for (const auto& secret : secrets) {
    const Value registries = registries_of(secret);
    for (const auto& [key, entry] : registries.entries()) {
      if (auto credentials = credentials_of(entry)) known[entry_name(key.text())].push_back(*std::move(credentials));
    }
  }
  const std::string repository = repository_of(image);
  std::vector<PullCredentials> found;
  for (const auto& [entry, credentials] : known) {
    if (is_for(entry, repository)) found.insert(found.end(), credentials.begin(), credentials.end());
  }
  const bool is_hubs = repository.starts_with(cat(kHub, "/")) || repository.starts_with(cat(kHubsOldName, "/"));
  if (const auto old_name = known.find(std::string(kHubsOldName)); found.empty() && is_hubs && old_name != known.end()) return old_name->second;
  return found;
}

}  // namespace minik::control
