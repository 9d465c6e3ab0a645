#include "runtime/container/process.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "control/base/text.h"
#include "runtime/container/capabilities.h"
#include "runtime/container/files.h"
#include "runtime/container/seccomp.h"
#include "runtime/container/seccomp_profile.h"

namespace minik::runtime {

namespace {

// As container runtimes bound it; a larger number would wrap around, to root's perhaps.
constexpr uint64_t kIdMax = 2147483647;
constexpr size_t kRecordBytesMax = 8 << 20;  // of /etc/passwd and /etc/group, which are the image's or the container's
constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view variable(const std::vector<std::string>& env, std::string_view name) {
  for (const auto& entry : env) {
    if (entry.starts_with(cat(name, "="))) return std::string_view(entry).substr(name.size() + 1);
  }
  return {};
}

bool executable(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && access(path.c_str(), X_OK) == 0;
}

Result<std::string> find_program(const std::string& name, const std::vector<std::string>& env) {
  const auto fail = [&](std::string_view why) {
    return Error(ErrorCode::kNotFound, cat("exec: ", minik::quoted(name), ": ", why));
  };
  if (name.find('/') != std::string::npos) {
    struct stat info {};
    if (stat(name.c_str(), &info) != 0) return fail(cat("stat ", name, ": no such file or directory"));
    if (S_ISDIR(info.st_mode)) return fail("is a directory");
    if (!executable(name)) return fail("permission denied");
    return name;
  }
  auto path = variable(env, "PATH");
  if (path.empty()) path = kDefaultPath;
  for (const auto directory : split(path, ':')) {
    const std::string candidate = cat(directory.empty() ? "." : directory, "/", name);
    if (executable(candidate)) return candidate;
  }
  return fail("executable file not found in $PATH");
}

std::vector<std::vector<std::string>> records(const std::string& path) {
  std::vector<std::vector<std::string>> all;
  const auto text = read_foreign_file(path, kRecordBytesMax);
  if (!text) return all;
  for (const auto line : split(*text, '\n')) {
    std::vector<std::string> fields;
    for (const auto field : split(line, ':')) fields.emplace_back(field);
    all.push_back(std::move(fields));
  }
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

Result<ProcessIdentity> resolve_user(const std::string& user, const std::vector<int64_t>& supplementary, bool image_groups) {
  ProcessIdentity identity;
  identity.home = "/root";
  const size_t colon = user.find(':');
  const std::string name = user.empty() || colon == 0 ? "0" : user.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : user.substr(colon + 1);
  std::string login;  // empty: a number that no name belongs to
  const auto number = parse_uint64(name);
  if (number && *number > kIdMax) return Error(ErrorCode::kInvalid, cat("user ", name, " is beyond ", kIdMax));
  for (const auto& record : records("/etc/passwd")) {
    if (record.size() < 6) continue;
    if (number ? record[2] != name : record[0] != name) continue;
    identity.uid = static_cast<unsigned int>(parse_uint64(record[2]).value_or(0));
    identity.gid = static_cast<unsigned int>(parse_uint64(record[3]).value_or(0));
    identity.home = record[5];
    login = record[0];
    break;
  }
  if (login.empty() && !number) return Error(ErrorCode::kNotFound, cat("unable to find user ", name, ": no matching entries in passwd file"));
  if (login.empty() && *number != 0) {
    identity.uid = static_cast<unsigned int>(*number);
    identity.home = "/";
  }
  bool group_found = group.empty();
  std::vector<unsigned int> of_image;
  for (const auto& record : records("/etc/group")) {
    if (record.size() < 4) continue;
    const auto id = static_cast<unsigned int>(parse_uint64(record[2]).value_or(0));
    const auto members = split(record[3], ',');
    if (!login.empty() && std::ranges::find(members, login) != members.end()) of_image.push_back(id);
    if (group.empty() || record[0] != group) continue;
    identity.gid = id;
    group_found = true;
  }
  if (const auto id = parse_uint64(group)) {
    if (*id > kIdMax) return Error(ErrorCode::kInvalid, cat("group ", group, " is beyond ", kIdMax));
    identity.gid = static_cast<unsigned int>(*id);
    group_found = true;
  }
  if (!group_found) return Error(ErrorCode::kNotFound, cat("unable to find group ", group, ": no matching entries in group file"));
  // The first is its own: a program that takes another one may come back.
  identity.groups = {identity.gid};
  if (image_groups) identity.groups.insert(identity.groups.end(), of_image.begin(), of_image.end());
  for (const auto g : supplementary) identity.groups.push_back(static_cast<unsigned int>(g));
  return identity;
}

// What a program reopens by name (/dev/stdout is one) must be its user's.
static void give_stdio(unsigned int uid) {
  struct stat null_device {};
  const bool known = stat("/dev/null", &null_device) == 0;
  for (int fd = 0; fd < 3; ++fd) {
    struct stat info {};
    if (fstat(fd, &info) != 0 || info.st_uid == uid) continue;
    if (known && S_ISCHR(info.st_mode) && info.st_rdev == null_device.st_rdev) continue;
    (void)!fchown(fd, uid, info.st_gid);  // some cannot be given away, and need not
  }
}

Error execute(const ContainerSpec& spec, const std::vector<std::string>& args, std::vector<std::string> env) {
  auto identity = resolve_user(spec.user, spec.supplementary_groups, spec.image_groups);
  if (!identity) return std::move(identity).error();
  if (variable(env, "PATH").empty()) env.push_back(cat("PATH=", kDefaultPath));
  if (variable(env, "HOME").empty()) env.push_back(cat("HOME=", identity->home));
  if (spec.terminal && variable(env, "TERM").empty()) env.push_back("TERM=xterm");
  const std::string cwd = spec.cwd.empty() ? "/" : spec.cwd;
  if (chdir(cwd.c_str()) != 0) {
    (void)make_directories(cwd).ok();  // an image's working directory is made when it is missing
    if (chdir(cwd.c_str()) != 0) return error_from_errno(errno, cat("chdir to cwd (", minik::quoted(cwd), ")"));
  }
  give_stdio(identity->uid);
  umask(022);
  if (auto status = drop_bounding_set(spec.capabilities); !status.ok()) return std::move(status).error();
  // The filter needs either privilege or no_new_privs; it is loaded while there is privilege.
  if (spec.no_new_privileges) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (setgroups(identity->groups.size(), identity->groups.data()) != 0) return error_from_errno(errno, "setgroups");
  if (setgid(identity->gid) != 0) return error_from_errno(errno, "setgid");
  // A filter of the user's own may refuse what is still to be done here: where it can wait, it does.
  const auto filter = [&spec]() -> Status {
    if (!spec.seccomp || spec.privileged) return {};
    if (spec.seccomp_profile.empty()) return load_default_seccomp(spec.capabilities);
    MINIK_ASSIGN(const auto profile, decode_seccomp_profile(spec.seccomp_profile));
    return load_seccomp_profile(profile);
  };
  if (!spec.privileged && !spec.devices_confined) {
    if (auto status = load_device_filter(); !status.ok()) return std::move(status).error();
  }
  const bool filter_last = spec.no_new_privileges && !spec.seccomp_profile.empty();
  if (!filter_last) {
    if (auto status = filter(); !status.ok()) return std::move(status).error();
  }
  if (setuid(identity->uid) != 0) return error_from_errno(errno, "setuid");
  if (auto status = set_capabilities(spec.capabilities, identity->uid == 0); !status.ok()) {
    return std::move(status).error();
  }
  // The shim's death is the container's. The change of user has wiped any earlier wish.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int n = 1; n < NSIG; ++n) signal(n, SIG_DFL);
  auto program = find_program(args.empty() ? "" : args[0], env);
  if (!program) return std::move(program).error();
  const auto argv = pointers(args);
  const auto envp = pointers(env);
  if (filter_last) {
    if (auto status = filter(); !status.ok()) return std::move(status).error();
  }
  execve(program->c_str(), argv.data(), envp.data());
  return error_from_errno(errno, cat("exec ", *program));
}

}  // namespace minik::runtime
