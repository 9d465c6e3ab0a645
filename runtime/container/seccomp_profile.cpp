#include "runtime/container/seccomp_profile.h"

#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/value.h"
#include "runtime/container/codec.h"

namespace minik::runtime {

namespace {

using control::Value;

constexpr int64_t kErrnoMax = 4095;  // the kernel's
constexpr int64_t kArgumentMax = 5;

template <typename T>
struct Named {
  std::string_view name;
  T value;
};

constexpr Named<uint32_t> kArchitectures[] = {
    {"SCMP_ARCH_X86", SCMP_ARCH_X86},         {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},   {"SCMP_ARCH_X32", SCMP_ARCH_X32},
    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},         {"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64}, {"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
    {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},       {"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},   {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
    {"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},   {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64}, {"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32},
    {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},         {"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},     {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
    {"SCMP_ARCH_S390", SCMP_ARCH_S390},       {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},     {"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},
    {"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64}};

constexpr Named<scmp_compare> kComparisons[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};

template <typename Table>
const auto* find(const Table& table, std::string_view name) {
  const auto* found = std::ranges::find_if(table, [&](const auto& entry) { return entry.name == name; });
  return found == std::end(table) ? nullptr : found;
}

Error bad(std::string_view where, std::string_view why) { return Error(ErrorCode::kInvalid, cat("seccomp profile: ", where, ": ", why)); }

Result<int64_t> number_in(const Value& value, std::string_view where, int64_t most) {
  if (value.is_absent()) return 0;
  if (value.is_int() && value.as_int() >= 0 && value.as_int() <= most) return value.as_int();
  return bad(where, cat("must be a whole number from 0 to ", most));
}

Result<int64_t> action_of(const Value& name, const Value& error_number, std::string_view where) {
  int64_t error = EPERM;
  if (error_number.has_value()) {
    MINIK_ASSIGN(error, number_in(error_number, cat(where, "'s errnoRet"), kErrnoMax));
  }
  const auto text = name.as_string();
  if (text == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (text == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(static_cast<uint32_t>(error));
  if (text == "SCMP_ACT_KILL" || text == "SCMP_ACT_KILL_THREAD") return SCMP_ACT_KILL_THREAD;
  if (text == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  if (text == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
  if (text == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(static_cast<uint32_t>(error));
  if (text == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  if (text == "SCMP_ACT_NOTIFY") return bad(where, "SCMP_ACT_NOTIFY needs a supervisor, which there is not: use SCMP_ACT_ERRNO");
  return bad(where, cat("no action ", quoted(text)));
}

Result<SeccompCondition> condition_of(const Value& arg, const std::string& where) {
  SeccompCondition condition;
  MINIK_ASSIGN(condition.argument, number_in(arg["index"], cat(where, ".index"), kArgumentMax));
  MINIK_ASSIGN(condition.value, number_in(arg["value"], cat(where, ".value"), INT64_MAX));
  MINIK_ASSIGN(condition.value_two, number_in(arg["valueTwo"], cat(where, ".valueTwo"), INT64_MAX));
  const auto* comparison = find(kComparisons, arg["op"].as_string());
  if (!comparison) return bad(cat(where, ".op"), cat("no comparison ", quoted(arg["op"].as_string())));
  condition.comparison = comparison->value;
  return condition;
}

Result<SeccompRule> rule_of(const Value& syscall, const std::string& where) {
  SeccompRule rule;
  if (!syscall["names"].is_array()) return bad(where, "names must be a list");
  for (const auto& name : syscall["names"].items()) {
    if (!name.is_string()) return bad(cat(where, ".names"), "must hold texts");
    rule.names.emplace_back(name.as_string());
  }
  MINIK_ASSIGN(rule.action, action_of(syscall["action"], syscall["errnoRet"], cat(where, ".action")));
  for (size_t i = 0; i < syscall["args"].items().size(); ++i) {
    MINIK_ASSIGN(auto condition, condition_of(syscall["args"].items()[i], cat(where, ".args[", i, "]")));
    rule.conditions.push_back(condition);
  }
  return rule;
}

scmp_arg_cmp comparison_of(const SeccompCondition& condition) {
  return {static_cast<unsigned int>(condition.argument), static_cast<scmp_compare>(condition.comparison),
          static_cast<scmp_datum_t>(condition.value), static_cast<scmp_datum_t>(condition.value_two)};
}

Status add_rule(scmp_filter_ctx filter, const SeccompRule& rule) {
  std::vector<scmp_arg_cmp> all;
  bool alternatives = false;
  for (const auto& condition : rule.conditions) {
    alternatives |= std::ranges::any_of(all, [&](const auto& other) { return other.arg == static_cast<unsigned int>(condition.argument); });
    all.push_back(comparison_of(condition));
  }
  for (const auto& name : rule.names) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) continue;
    const auto add = [&](const scmp_arg_cmp* conditions, size_t count) {
      return seccomp_rule_add_array(filter, static_cast<uint32_t>(rule.action), number, static_cast<unsigned int>(count), conditions);
    };
    int result = 0;
    if (alternatives) {
      for (const auto& one : all) result = result == 0 ? add(&one, 1) : result;
    } else {
      result = add(all.data(), all.size());
    }
    if (result != 0) return error_from_errno(-result, cat("seccomp profile: rule for ", minik::quoted(name)));
  }
  return {};
}

}  // namespace

Result<SeccompProfile> parse_seccomp_profile(std::string_view json) {
  auto document = control::parse_json(json);
  if (!document) return std::move(document).error().in("seccomp profile");
  if (!document->is_map()) return bad("the document", "must be an object");
  SeccompProfile profile;
  MINIK_ASSIGN(profile.default_action, action_of((*document)["defaultAction"], (*document)["defaultErrnoRet"], "defaultAction"));
  for (const auto& name : (*document)["architectures"].items()) {
    const auto* architecture = find(kArchitectures, name.as_string());
    if (!architecture) return bad("architectures", cat("no architecture ", quoted(name.as_string())));
    profile.architectures.push_back(architecture->value);
  }
  for (const auto& flag : (*document)["flags"].items()) profile.log |= flag.as_string() == "SECCOMP_FILTER_FLAG_LOG";
  const Value& syscalls = (*document)["syscalls"];
  for (size_t i = 0; i < syscalls.items().size(); ++i) {
    MINIK_ASSIGN(auto rule, rule_of(syscalls.items()[i], cat("syscalls[", i, "]")));
    profile.rules.push_back(std::move(rule));
  }
  return profile;
}

std::string encode_seccomp_profile(const SeccompProfile& profile) {
  Writer w;
  w.put(profile.default_action).put(profile.architectures).put(int64_t{profile.log}).put(static_cast<int64_t>(profile.rules.size()));
  for (const auto& rule : profile.rules) {
    w.put(rule.names).put(rule.action).put(static_cast<int64_t>(rule.conditions.size()));
    for (const auto& c : rule.conditions) w.put(c.argument).put(c.comparison).put(c.value).put(c.value_two);
  }
  return std::move(w).take();
}

Result<SeccompProfile> decode_seccomp_profile(std::string_view bytes) {
  Reader r(bytes);
  SeccompProfile profile;
  profile.default_action = r.number();
  profile.architectures = r.numbers();
  profile.log = r.flag();
  for (int64_t left = r.count(); left > 0 && r.ok(); --left) {
    SeccompRule rule;
    rule.names = r.texts();
    rule.action = r.number();
    for (int64_t conditions = r.count(); conditions > 0 && r.ok(); --conditions) {
      SeccompCondition c;
      c.argument = r.number();
      c.comparison = r.number();
      c.value = r.number();
      c.value_two = r.number();
      rule.conditions.push_back(c);
    }
    profile.rules.push_back(std::move(rule));
  }
  if (!r.finished()) return Error(ErrorCode::kInvalid, "the container's system call filter is damaged");
  return profile;
}

Status load_seccomp_profile(const SeccompProfile& profile) {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(static_cast<uint32_t>(profile.default_action)), seccomp_release);
  if (!filter) return Error(ErrorCode::kInternalError, "cannot make a system call filter");
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
  seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (profile.log) seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1);
  for (const auto architecture : profile.architectures) {
    const int result = seccomp_arch_add(filter.get(), static_cast<uint32_t>(architecture));
    if (result != 0 && result != -EEXIST) return error_from_errno(-result, "seccomp profile: architectures");
  }
  for (const auto& rule : profile.rules) {
    if (rule.action != profile.default_action) MINIK_TRY(add_rule(filter.get(), rule));
  }
  const int result = seccomp_load(filter.get());
  return result == 0 ? Status() : Status(error_from_errno(-result, "load the system call filter"));
}

}  // namespace minik::runtime
