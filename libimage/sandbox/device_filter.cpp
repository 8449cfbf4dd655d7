#include "libimage/sandbox/device_filter.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libimage/base/unique_fd.h"

namespace lade::sandbox {
namespace {

constexpr std::size_t kMaxPrograms = 64;  // on one group: BPF_CGROUP_MAX_PROGS

// Registers: 2 type, 3 access, 4 major, 5 minor of the request.
bpf_insn instruction(unsigned code, unsigned destination, unsigned source, int offset,
                     std::int32_t value) {
  bpf_insn made{};
  made.code = static_cast<__u8>(code);
  made.dst_reg = static_cast<__u8>(destination & 15U);
  made.src_reg = static_cast<__u8>(source & 15U);
  made.off = static_cast<__s16>(offset);
  made.imm = value;
  return made;
}

std::int32_t access_bits(const std::string& access) {
  std::int32_t bits = 0;
  for (const char letter : access.empty() ? std::string("rwm") : access) {
    if (letter == 'r') bits |= BPF_DEVCG_ACC_READ;
    if (letter == 'w') bits |= BPF_DEVCG_ACC_WRITE;
    if (letter == 'm') bits |= BPF_DEVCG_ACC_MKNOD;
  }
  return bits;
}

void add_rule(std::vector<bpf_insn>& program, const DeviceRule& rule) {
  std::vector<bpf_insn> body;
  const auto unless_equal = [&](unsigned reg, std::int64_t value) {
    body.push_back(
        instruction(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, static_cast<std::int32_t>(value)));
  };
  if (rule.type == "c") unless_equal(2, BPF_DEVCG_DEV_CHAR);
  if (rule.type == "b") unless_equal(2, BPF_DEVCG_DEV_BLOCK);
  const std::int32_t access = access_bits(rule.access);
  if (access != (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD)) {
    body.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_X, 1, 3, 0, 0));
    body.push_back(instruction(BPF_ALU64 | BPF_AND | BPF_K, 1, 0, 0, access));
    body.push_back(instruction(BPF_JMP | BPF_JNE | BPF_X, 1, 3, 0, 0));
  }
  if (rule.major && *rule.major >= 0) unless_equal(4, *rule.major);
  if (rule.minor && *rule.minor >= 0) unless_equal(5, *rule.minor);
  body.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, rule.allow ? 1 : 0));
  body.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  for (std::size_t i = 0; i < body.size(); ++i) {
    const bool jumps = BPF_CLASS(body[i].code) == BPF_JMP && BPF_OP(body[i].code) == BPF_JNE;
    if (jumps) body[i].off = static_cast<__s16>(body.size() - i - 1);
  }
  program.insert(program.end(), body.begin(), body.end());
}

std::vector<bpf_insn> program_for(const std::vector<DeviceRule>& rules) {
  const auto load = [](unsigned reg, int offset) {
    return instruction(BPF_LDX | BPF_MEM | BPF_W, reg, 1, offset, 0);
  };
  std::vector<bpf_insn> program = {load(2, 0), load(3, 0), load(4, 4), load(5, 8)};
  program.push_back(instruction(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff));
  program.push_back(instruction(BPF_ALU | BPF_RSH | BPF_K, 3, 0, 0, 16));
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) add_rule(program, *rule);
  const bool decided = !rules.empty() && rules.front().type != "c" && rules.front().type != "b" &&
                       !rules.front().major && !rules.front().minor &&
                       rules.front().access == "rwm";
  if (decided) return program;  // the first rule fits all: what came after would never run
  program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1));
  program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
  return program;
}

long call_bpf(unsigned command, bpf_attr& attributes) {
  return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

/// Detaches what is attached to the group itself.
void detach_all(int group) {
  std::array<__u32, kMaxPrograms> ids{};
  bpf_attr query{};
  query.query.target_fd = static_cast<__u32>(group);
  query.query.attach_type = BPF_CGROUP_DEVICE;
  query.query.prog_ids = reinterpret_cast<std::uint64_t>(ids.data());
  query.query.prog_cnt = ids.size();
  if (call_bpf(BPF_PROG_QUERY, query) != 0) return;
  for (std::size_t i = 0; i < query.query.prog_cnt && i < ids.size(); ++i) {
    bpf_attr by_id{};
    by_id.prog_id = ids.at(i);
    const UniqueFd program(static_cast<int>(call_bpf(BPF_PROG_GET_FD_BY_ID, by_id)));
    if (!program) continue;
    bpf_attr detach{};
    detach.target_fd = static_cast<__u32>(group);
    detach.attach_bpf_fd = static_cast<__u32>(program.get());
    detach.attach_type = BPF_CGROUP_DEVICE;
    (void)call_bpf(BPF_PROG_DETACH, detach);
  }
}

}  // namespace

int attach_device_filter(const std::string& path, const std::vector<DeviceRule>& rules) noexcept {
  const UniqueFd group(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!group) return errno;
  const std::vector<bpf_insn> program = program_for(rules);
  static constexpr char kLicense[] = "Apache-2.0";
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = reinterpret_cast<std::uint64_t>(program.data());
  load.insn_cnt = static_cast<__u32>(program.size());
  load.license = reinterpret_cast<std::uint64_t>(kLicense);
  const UniqueFd loaded(static_cast<int>(call_bpf(BPF_PROG_LOAD, load)));
  if (!loaded) return errno;
  detach_all(group.get());
  bpf_attr attach{};
  attach.target_fd = static_cast<__u32>(group.get());
  attach.attach_bpf_fd = static_cast<__u32>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  return call_bpf(BPF_PROG_ATTACH, attach) == 0 ? 0 : errno;
}

}  // namespace lade::sandbox
