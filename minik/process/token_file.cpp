#include "minik/process/token_file.h"

#include <unistd.h>

#include <optional>
#include <vector>

#include "control/base/text.h"
#include "minik/process/private_file.h"
#include "runtime/container/files.h"

namespace minik {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;

// The fields of one line of CSV (RFC 4180 without fields over several lines); nothing for a quote that is not closed
// or not followed by a comma.
std::optional<std::vector<std::string>> fields_of(std::string_view line) {
  std::vector<std::string> fields(1);
  size_t i = 0;
  while (i < line.size()) {
    if (line[i] == '"' && fields.back().empty()) {
      bool closed = false;
      for (++i; i < line.size() && !closed; ++i) {
        if (line[i] != '"') {
          fields.back() += line[i];
        } else if (i + 1 < line.size() && line[i + 1] == '"') {
          fields.back() += line[i++];
        } else {
          closed = true;
        }
      }
      if (!closed || (i < line.size() && line[i] != ',')) return std::nullopt;
    } else if (line[i] == ',') {
      fields.emplace_back();
      ++i;
    } else {
      fields.back() += line[i++];
    }
  }
  return fields;
}

}  // namespace

Result<StaticTokens> parse_token_file(std::string_view text, std::string_view name) {
  StaticTokens tokens;
  if (text.size() > kFileBytesMax) return Error(ErrorCode::kBadRequest, cat(name, ": the file is larger than 1 MiB"));
  size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    const auto wrong = [&](std::string_view why) { return Error(ErrorCode::kBadRequest, cat(name, ":", number, ": ", why)); };
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trim(line).empty()) continue;
    const auto fields = fields_of(line);
    if (!fields) return wrong("a quoted field does not end with a quote and a comma");
    if (fields->size() < 3) {
      return wrong(cat("a line must have at least 3 columns (token, user name, user uid), found ", fields->size()));
    }
    if (fields->size() > 4) return wrong("there are more than 4 columns: several groups stand in one quoted field");
    const auto token = trim((*fields)[0]), user_name = trim((*fields)[1]);
    if (token.empty()) return wrong("the token is empty");
    if (token.find_first_of(" \t") != std::string_view::npos) return wrong("a token has no spaces");
    if (user_name.empty()) return wrong("the user name is empty");
    control::UserInfo user{std::string(user_name), std::string(trim((*fields)[2])), {}, {}};
    if (fields->size() == 4) {
      for (const auto group : split((*fields)[3], ',')) {
        if (!trim(group).empty()) user.groups.emplace_back(trim(group));
      }
    }
    user.groups.emplace_back("system:authenticated");
    if (!tokens.emplace(std::string(token), std::move(user)).second) return wrong("this token has been given to a user before");
  }
  return tokens;
}

Status keep_token_file(const Profile& profile, const std::string& path) {
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(path));
  MINIK_ASSIGN(const auto tokens, parse_token_file(text, path));
  MINIK_TRY(runtime::make_directories(profile.directory, 0700));
  return write_private_file(profile.token_file(), text, Durability::kSync);
}

Result<StaticTokens> kept_tokens(const Profile& profile) {
  if (access(profile.token_file().c_str(), F_OK) != 0) return StaticTokens();
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(profile.token_file()));
  return parse_token_file(text, profile.token_file());
}

}  // namespace minik
