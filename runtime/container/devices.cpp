#include "runtime/container/devices.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "control/base/text.h"
#include "runtime/container/files.h"

namespace minik::runtime {

namespace {

constexpr int64_t kAny = DeviceRule::kAny;
constexpr DeviceRule kDefaultDevices[] = {
    {'c', kAny, kAny, true, false},
    {'b', kAny, kAny, true, false},
    {'c', 1, 3, true, true},     // null
    {'c', 1, 5, true, true},     // zero
    {'c', 1, 7, true, true},     // full
    {'c', 1, 8, true, true},     // random
    {'c', 1, 9, true, true},     // urandom
    {'c', 5, 0, true, true},     // tty
    {'c', 5, 2, true, true},     // ptmx
    {'c', 136, kAny, true, true},  // terminals of devpts
};

constexpr uint8_t kAnswer = BPF_REG_0, kContext = BPF_REG_1, kType = BPF_REG_2, kAccess = BPF_REG_3, kMajor = BPF_REG_4,
                  kMinor = BPF_REG_5;

bpf_insn instruction(int code, uint8_t to, uint8_t from = 0, int16_t offset = 0, int32_t value = 0) {
  bpf_insn made{};
  made.code = static_cast<uint8_t>(code);
  made.dst_reg = to & 0xf;
  made.src_reg = from & 0xf;
  made.off = offset;
  made.imm = value;
  return made;
}

int call_bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

uint64_t address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

}  // namespace

std::span<const DeviceRule> default_device_rules() { return kDefaultDevices; }

std::string device_line(const DeviceRule& rule) {
  const auto number = [](int64_t n) { return n == kAny ? std::string("*") : cat(n); };
  return cat(std::string(1, rule.type), " ", number(rule.major), ":", number(rule.minor), " ", rule.open ? "rw" : "",
             rule.make ? "m" : "");
}

std::vector<bpf_insn> device_program(std::span<const DeviceRule> rules) {
  const auto load = [](uint8_t to, size_t field) {
    return instruction(BPF_LDX | BPF_W | BPF_MEM, to, kContext, static_cast<int16_t>(field));
  };
  const auto unless_equal = [](uint8_t what, int64_t value) {
    return instruction(BPF_JMP | BPF_JNE | BPF_K, what, 0, 0, static_cast<int32_t>(value));
  };
  std::vector<bpf_insn> program = {
      load(kType, offsetof(bpf_cgroup_dev_ctx, access_type)),  // the access in the upper half
      instruction(BPF_ALU | BPF_MOV | BPF_X, kAccess, kType),
      instruction(BPF_ALU | BPF_AND | BPF_K, kType, 0, 0, 0xffff),
      instruction(BPF_ALU | BPF_RSH | BPF_K, kAccess, 0, 0, 16),
      load(kMajor, offsetof(bpf_cgroup_dev_ctx, major)),
      load(kMinor, offsetof(bpf_cgroup_dev_ctx, minor)),
  };
  for (const auto& rule : rules) {
    const int type = rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    const int refused = (rule.make ? 0 : BPF_DEVCG_ACC_MKNOD) | (rule.open ? 0 : BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE);
    std::vector<bpf_insn> tests = {unless_equal(kType, type)};
    if (refused != 0) tests.push_back(instruction(BPF_JMP | BPF_JSET | BPF_K, kAccess, 0, 0, refused));
    if (rule.major != kAny) tests.push_back(unless_equal(kMajor, rule.major));
    if (rule.minor != kAny) tests.push_back(unless_equal(kMinor, rule.minor));
    // Whatever does not fit goes on after this rule's answer, which is two instructions.
    for (size_t i = 0; i < tests.size(); ++i) {
      tests[i].off = static_cast<int16_t>(tests.size() - i - 1 + 2);
      program.push_back(tests[i]);
    }
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, kAnswer, 0, 0, 1));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, kAnswer));
  }
  program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, kAnswer, 0, 0, 0));
  program.push_back(instruction(BPF_JMP | BPF_EXIT, kAnswer));
  return program;
}

Status attach_device_program(const std::string& group_directory, std::span<const DeviceRule> rules) {
  const std::vector<bpf_insn> program = device_program(rules);
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = address(program.data());
  load.insn_cnt = static_cast<uint32_t>(program.size());
  load.license = address("");  // it calls nothing of the kernel's
  const FileDescriptor loaded(call_bpf(BPF_PROG_LOAD, load));
  if (!loaded) return error_from_errno(errno, "load the device program");
  const FileDescriptor group(open(group_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!group) return error_from_errno(errno, cat("open ", group_directory));
  bpf_attr attach{};
  attach.target_fd = static_cast<uint32_t>(group.get());
  attach.attach_bpf_fd = static_cast<uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (call_bpf(BPF_PROG_ATTACH, attach) != 0) return error_from_errno(errno, "attach the device program");
  return {};
}

}  // namespace minik::runtime
