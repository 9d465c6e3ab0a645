// The file of static tokens, as kube-apiserver's --token-auth-file takes it: a line for each token in CSV,
//
//   token,user name,user id,"group one,group two"
//
// the groups in one quoted field and left out where there are none. `minik start --token-auth-file FILE` checks the
// file and keeps a copy in the profile's folder, readable for its owner alone, from which every later start reads it.
// Errors name file and line, and never a token.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/client/request.h"
#include "minik/process/profile.h"

namespace minik {

using StaticTokens = std::map<std::string, control::UserInfo, std::less<>>;

// `name` stands before the line in errors.
Result<StaticTokens> parse_token_file(std::string_view text, std::string_view name);

// Checks the file and makes it the profile's own.
Status keep_token_file(const Profile& profile, const std::string& path);
// What the cluster is to be started with; none without such a file.
Result<StaticTokens> kept_tokens(const Profile& profile);

}  // namespace minik
