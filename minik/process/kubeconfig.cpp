#include "minik/process/kubeconfig.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "control/base/text.h"
#include "minik/net/unique_fd.h"
#include "minik/process/private_file.h"

namespace minik {
namespace {

constexpr auto kLockRetry = std::chrono::milliseconds(20);
constexpr int kLockRetries = 100;  // two seconds: kubectl holds it for milliseconds
constexpr int kDepthMax = 64;

// client-go's lock: a file that exists while somebody writes.
class LockFile {
 public:
  static Result<LockFile> take(const std::string& path) {
    for (int i = 0; i < kLockRetries; ++i) {
      const UniqueFd fd(open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0));
      if (fd) return LockFile(path);
      if (errno != EEXIST) return error_from_errno(errno, cat("create ", path));
      std::this_thread::sleep_for(kLockRetry);
    }
    return Error(ErrorCode::kConflict,
                 cat(path, " is held by another program; if no kubectl is running, delete it"));
  }
  ~LockFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  LockFile(LockFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  LockFile& operator=(LockFile&&) = delete;

 private:
  explicit LockFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// yaml-cpp's own printing drops the quotes of "123" and so its type; quoted scalars carry the tag
// "!".
void emit(YAML::Emitter& out, const YAML::Node& node) {
  if (!node.Tag().empty() && node.Tag() != "?" && node.Tag() != "!") {
    out << YAML::VerbatimTag(node.Tag());
  }
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null:
      out << YAML::Null;
      break;
    case YAML::NodeType::Scalar:
      if (node.Tag() == "!") out << YAML::DoubleQuoted;
      out << node.Scalar();
      break;
    case YAML::NodeType::Sequence:
      if (node.size() == 0) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const YAML::Node& item : node) emit(out, item);
      out << YAML::EndSeq;
      break;
    case YAML::NodeType::Map:
      if (node.size() == 0) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& entry : node) {
        out << YAML::Key;
        emit(out, entry.first);
        out << YAML::Value;
        emit(out, entry.second);
      }
      out << YAML::EndMap;
      break;
  }
}

bool too_deep(const YAML::Node& node, int depth) {
  if (depth > kDepthMax) return true;
  if (node.IsSequence()) {
    for (const YAML::Node& item : node) {
      if (too_deep(item, depth + 1)) return true;
    }
  }
  if (node.IsMap()) {
    for (const auto& entry : node) {
      if (too_deep(entry.second, depth + 1)) return true;
    }
  }
  return false;
}

Error not_a_kubeconfig(const std::string& path, const std::string& why) {
  return Error(ErrorCode::kInvalid, cat(path, " is not a kubeconfig that can be changed: ", why,
                                        "; correct it, or point KUBECONFIG at another file"));
}

Result<YAML::Node> parse(const std::string& path, const std::string& text) {
  try {
    YAML::Node root = YAML::Load(text);
    if (root.IsNull()) return YAML::Node(YAML::NodeType::Map);
    if (!root.IsMap()) return not_a_kubeconfig(path, "it is not a map");
    if (too_deep(root, 0)) return not_a_kubeconfig(path, "it is nested too deeply");
    for (const char* list : {"clusters", "users", "contexts"}) {
      const YAML::Node node = root[list];
      if (node && !node.IsNull() && !node.IsSequence()) {
        return not_a_kubeconfig(path, cat(list, " is not a list"));
      }
    }
    return root;
  } catch (const YAML::Exception& error) {
    return not_a_kubeconfig(path, cat("line ", error.mark.line + 1, ": ", error.msg));
  }
}

YAML::Node text_node(const std::string& text) {
  YAML::Node node(text);
  node.SetTag("!");
  return node;
}

// The entry of a named list ({name: …, <kind>: {…}}), made when it is missing.
YAML::Node named_entry(YAML::Node root, const char* list, const char* kind,
                       const std::string& name) {
  if (!root[list] || root[list].IsNull()) root[list] = YAML::Node(YAML::NodeType::Sequence);
  for (YAML::Node item : root[list]) {
    if (item.IsMap() && item["name"] && item["name"].IsScalar() && item["name"].Scalar() == name) {
      if (!item[kind] || !item[kind].IsMap()) item[kind] = YAML::Node(YAML::NodeType::Map);
      return item[kind];
    }
  }
  YAML::Node item(YAML::NodeType::Map);
  item["name"] = name;
  item[kind] = YAML::Node(YAML::NodeType::Map);
  root[list].push_back(item);
  return item[kind];
}

void remove_named(YAML::Node root, const char* list, const std::string& name) {
  if (!root[list] || !root[list].IsSequence()) return;
  YAML::Node kept(YAML::NodeType::Sequence);
  for (const YAML::Node& item : root[list]) {
    const bool ours =
        item.IsMap() && item["name"] && item["name"].IsScalar() && item["name"].Scalar() == name;
    if (!ours) kept.push_back(item);
  }
  root[list] = kept;
}

void put_entry(YAML::Node root, const KubeconfigEntry& entry, CurrentContext current) {
  if (!root["apiVersion"]) root["apiVersion"] = "v1";
  if (!root["kind"]) root["kind"] = "Config";
  if (!root["preferences"]) root["preferences"] = YAML::Node(YAML::NodeType::Map);
  YAML::Node cluster = named_entry(root, "clusters", "cluster", entry.name);
  cluster["server"] = entry.server;
  cluster["certificate-authority-data"] = to_base64(entry.ca_pem);
  // These would contradict the data above.
  cluster.remove("certificate-authority");
  cluster.remove("insecure-skip-tls-verify");
  YAML::Node user = named_entry(root, "users", "user", entry.name);
  for (const char* other : {"client-certificate", "client-key", "token", "tokenFile", "username",
                            "password", "exec", "auth-provider"}) {
    user.remove(other);
  }
  user["client-certificate-data"] = to_base64(entry.client_certificate_pem);
  user["client-key-data"] = to_base64(entry.client_key_pem);
  YAML::Node context = named_entry(root, "contexts", "context", entry.name);
  context["cluster"] = text_node(entry.name);
  context["user"] = text_node(entry.name);
  if (current == CurrentContext::kSwitch) root["current-context"] = text_node(entry.name);
}

// Reads, changes and writes the file under its lock.
Status change(const std::string& given_path, const std::function<void(YAML::Node)>& edit) {
  std::error_code error;
  std::filesystem::path path(given_path);
  // Renaming over a symbolic link would replace the link.
  if (const auto real = std::filesystem::canonical(path, error); !error) path = real;
  if (path.has_parent_path()) MINIK_TRY(make_folder(path.parent_path().string(), 0700));
  MINIK_ASSIGN(const LockFile lock, LockFile::take(cat(path.string(), ".lock")));

  FileOwner owner;
  std::string text;
  struct stat status {};
  if (stat(path.c_str(), &status) == 0) {
    owner = {status.st_mode & 07777, status.st_uid, status.st_gid};
    MINIK_ASSIGN(text, read_small_file(path.string()));
  }
  MINIK_ASSIGN(YAML::Node root, parse(path.string(), text));
  try {
    edit(root);
    YAML::Emitter out;
    emit(out, root);
    return write_private_file(path.string(), cat(out.c_str(), "\n"), Durability::kRename, owner);
  } catch (const YAML::Exception& failure) {
    return not_a_kubeconfig(path.string(), failure.what());
  }
}

}  // namespace

Result<std::string> kubeconfig_path() {
  std::vector<std::string> files;
  if (const char* list = std::getenv("KUBECONFIG")) {
    for (const std::string_view file : split(list, ':')) {
      if (!file.empty()) files.emplace_back(file);
    }
  }
  for (const std::string& file : files) {
    if (access(file.c_str(), F_OK) == 0) return file;
  }
  if (!files.empty()) return files.back();
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') {
    return Error(
        ErrorCode::kNotFound,
        "neither KUBECONFIG nor HOME is set; set one of them to say where the kubeconfig is");
  }
  return cat(home, "/.kube/config");
}

Status add_to_kubeconfig(const std::string& path, const KubeconfigEntry& entry,
                         CurrentContext current) {
  return change(path, [&](YAML::Node root) { put_entry(root, entry, current); });
}

std::string current_context(const std::string& path) {
  const auto text = read_small_file(path);
  if (!text) return "";
  const auto root = parse(path, *text);
  if (!root) return "";
  const YAML::Node& document = *root;
  const YAML::Node current = document["current-context"];
  return current && current.IsScalar() ? current.Scalar() : "";
}

Status remove_from_kubeconfig(const std::string& path, const std::string& name,
                              const std::string& then) {
  if (access(path.c_str(), F_OK) != 0) return {};
  return change(path, [&](YAML::Node root) {
    remove_named(root, "clusters", name);
    remove_named(root, "users", name);
    remove_named(root, "contexts", name);
    const YAML::Node current = root["current-context"];
    if (current && current.IsScalar() && current.Scalar() == name) {
      root["current-context"] = text_node(then);
    }
  });
}

}  // namespace minik
