#include "runtime/image/registry_auth.h"

#include <boost/json.hpp>
#include <map>
#include <vector>

#include "control/base/text.h"
#include "runtime/image/disk.h"
#include "runtime/image/limits.h"

namespace minik::runtime {
namespace {

namespace json = boost::json;

std::string text_member(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return "";
  return std::string(value->get_string().data(), value->get_string().size());
}

// name="value" or name=value, separated by commas.
std::map<std::string, std::string> parse_parameters(std::string_view text) {
  std::map<std::string, std::string> parameters;
  while (!text.empty()) {
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) break;
    std::string_view name = trim(text.substr(0, equals));
    while (name.starts_with(',')) name = trim(name.substr(1));
    text.remove_prefix(equals + 1);
    std::string value;
    if (text.starts_with('"')) {
      size_t i = 1;
      for (; i < text.size() && text[i] != '"'; ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        value += text[i];
      }
      text.remove_prefix(std::min(i + 1, text.size()));
    } else {
      value = trim(text.substr(0, text.find(',')));
      text.remove_prefix(std::min(text.find(','), text.size()));
    }
    parameters[to_lower(name)] = std::move(value);
  }
  return parameters;
}

// Docker Hub is saved under its oldest address.
std::vector<std::string> keys_of(const std::string& domain) {
  std::vector<std::string> keys = {domain, cat("https://", domain), cat("http://", domain),
                                   cat("https://", domain, "/v1/"),
                                   cat("https://", domain, "/v2/")};
  if (domain == "docker.io") {
    keys.insert(keys.end(), {"https://index.docker.io/v1/", "index.docker.io",
                             "registry-1.docker.io", "https://registry-1.docker.io"});
  }
  return keys;
}

}  // namespace

Result<AuthChallenge> parse_challenge(std::string_view header) {
  const std::string_view trimmed = trim(header);
  const size_t space = std::min(trimmed.find(' '), trimmed.size());
  const std::string scheme = to_lower(trimmed.substr(0, space));
  auto parameters = parse_parameters(trimmed.substr(space));
  AuthChallenge challenge;
  challenge.realm = parameters["realm"];
  challenge.service = parameters["service"];
  challenge.scope = parameters["scope"];
  if (scheme == "basic") return challenge;
  if (scheme == "bearer" && !challenge.realm.empty()) {
    challenge.scheme = AuthChallenge::Scheme::kBearer;
    return challenge;
  }
  return Error(ErrorCode::kUnauthorized,
               cat("the registry asks for ", quoted(header.substr(0, 200)),
                   ", but only Basic and Bearer are spoken here"));
}

Result<std::string> parse_token(std::string_view text) {
  json::error_code failure;
  const json::value value = json::parse({text.data(), text.size()}, failure);
  if (!failure && value.is_object()) {
    for (const char* name : {"token", "access_token"}) {
      std::string token = text_member(value.get_object(), name);
      const bool clean = token.find_first_of("\r\n") == std::string::npos;
      if (!token.empty() && clean) return token;
    }
  }
  return Error(ErrorCode::kUnauthorized, "the token server's answer holds no token");
}

std::string basic_authorization(const RegistryCredentials& credentials) {
  return cat("Basic ", to_base64(cat(credentials.username, ":", credentials.password)));
}

std::optional<RegistryCredentials> parse_docker_credentials(std::string_view text,
                                                            const std::string& domain) {
  json::error_code failure;
  const json::value value = json::parse({text.data(), text.size()}, failure);
  if (failure || !value.is_object()) return std::nullopt;
  const json::value* auths = value.get_object().if_contains("auths");
  if (auths == nullptr || !auths->is_object()) return std::nullopt;
  for (const std::string& key : keys_of(domain)) {
    const json::value* entry = auths->get_object().if_contains(key);
    if (entry == nullptr || !entry->is_object()) continue;
    const json::object& fields = entry->get_object();
    RegistryCredentials credentials{text_member(fields, "username"),
                                    text_member(fields, "password")};
    if (!credentials.username.empty()) return credentials;
    const auto pair = from_base64(text_member(fields, "auth"));
    const size_t colon = pair ? pair->find(':') : std::string::npos;
    if (colon == std::string::npos || colon == 0) continue;
    return RegistryCredentials{pair->substr(0, colon), pair->substr(colon + 1)};
  }
  return std::nullopt;
}

std::optional<RegistryCredentials> docker_credentials(const std::string& path,
                                                      const std::string& domain) {
  const auto text = read_file(path, kDocumentBytesMax);
  return text ? parse_docker_credentials(*text, domain) : std::nullopt;
}

}  // namespace minik::runtime
