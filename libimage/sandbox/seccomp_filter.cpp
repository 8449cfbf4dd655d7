#include "libimage/sandbox/seccomp_filter.h"

#include <cerrno>
#include <memory>
#include <mutex>

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/base/unique_fd.h"
#include "libimage/io/stream.h"

namespace lade::sandbox {
namespace {

constexpr std::uint64_t kMaxFilterBytes = 8 * 65536;  // BPF_MAXINSNS is lower still

std::uint32_t number_of(SeccompAction action, std::optional<std::uint16_t> code) {
  const std::uint16_t error = code.value_or(EPERM);
  switch (action) {
    case SeccompAction::allow:
      return SCMP_ACT_ALLOW;
    case SeccompAction::error:
      return SCMP_ACT_ERRNO(error);
    case SeccompAction::kill_thread:
      return SCMP_ACT_KILL_THREAD;
    case SeccompAction::kill_process:
      return SCMP_ACT_KILL_PROCESS;
    case SeccompAction::trap:
      return SCMP_ACT_TRAP;
    case SeccompAction::log:
      return SCMP_ACT_LOG;
    case SeccompAction::trace:
      return SCMP_ACT_TRACE(error);
  }
  return SCMP_ACT_KILL_PROCESS;
}

scmp_compare number_of(SeccompCompare compare) {
  switch (compare) {
    case SeccompCompare::not_equal:
      return SCMP_CMP_NE;
    case SeccompCompare::less:
      return SCMP_CMP_LT;
    case SeccompCompare::less_or_equal:
      return SCMP_CMP_LE;
    case SeccompCompare::equal:
      return SCMP_CMP_EQ;
    case SeccompCompare::greater_or_equal:
      return SCMP_CMP_GE;
    case SeccompCompare::greater:
      return SCMP_CMP_GT;
    case SeccompCompare::masked_equal:
      return SCMP_CMP_MASKED_EQ;
  }
  return SCMP_CMP_EQ;
}

struct ReleaseContext {
  void operator()(void* context) const noexcept { ::seccomp_release(context); }
};
using Context = std::unique_ptr<void, ReleaseContext>;

void check(int result, std::string_view operation) {
  if (result < 0) throw_errno(cat("seccomp: ", operation), -result);
}

void add_architecture(const Context& context, const std::string& name) {
  constexpr std::string_view kPrefix = "SCMP_ARCH_";
  const std::string_view given = name;
  const std::uint32_t token =
      given.rfind(kPrefix, 0) == 0
          ? ::seccomp_arch_resolve_name(lower_case(given.substr(kPrefix.size())).c_str())
          : 0;
  if (token == 0) {
    throw Error(Errc::invalid_content, cat("seccomp: architecture ", quoted(name), " is unknown"));
  }
  const int result = ::seccomp_arch_add(context.get(), token);
  if (result != -EEXIST) check(result, "add architecture");
}

void add_rule(const Context& context, const SeccompRule& rule, std::uint32_t default_action) {
  const std::uint32_t action = number_of(rule.action, rule.error);
  if (action == default_action) return;  // says nothing new, and libseccomp refuses it
  std::vector<scmp_arg_cmp> arguments;
  for (const SeccompArgument& a : rule.arguments) {
    arguments.push_back({a.index, number_of(a.compare), a.value, a.value_two});
  }
  for (const std::string& name : rule.names) {
    const int number = ::seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) continue;
    const int result = ::seccomp_rule_add_array(
        context.get(), action, number, static_cast<unsigned>(arguments.size()), arguments.data());
    // An earlier rule for the same call wins.
    if (result != -EEXIST) check(result, cat("add rule for ", quoted(name)));
  }
}

}  // namespace

std::uint32_t seccomp_flags(const std::vector<std::string>& flags) {
  std::uint32_t bits = 0;
  for (const std::string& flag : flags) {
    if (flag == "SECCOMP_FILTER_FLAG_LOG") {
      bits |= SECCOMP_FILTER_FLAG_LOG;
    } else if (flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW") {
      bits |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    } else if (flag !=
               "SECCOMP_FILTER_FLAG_TSYNC") {  // one thread loads it: nothing to synchronise
      throw Error(Errc::unsupported, cat("seccomp: flag ", quoted(flag), " is not supported"));
    }
  }
  return bits;
}

std::string compile_seccomp(const SeccompRules& rules) {
  static std::mutex library;  // libseccomp keeps what it learned of the kernel in globals
  const std::scoped_lock lock(library);
  const std::uint32_t default_action = number_of(rules.default_action, rules.default_error);
  const Context context(::seccomp_init(default_action));
  if (!context) throw Error(Errc::internal, "seccomp: create filter");
  // A call through an ABI that the filter does not know is one that does not exist.
  check(::seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)),
        "set the action for other architectures");
  for (const std::string& name : rules.architectures) add_architecture(context, name);
  for (const SeccompRule& rule : rules.rules) add_rule(context, rule, default_action);
  UniqueFd file(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!file) throw_errno("seccomp: create memory file");
  check(::seccomp_export_bpf(context.get(), file.get()), "generate filter");
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("seccomp: read filter");
  FdSource source(std::move(file), "seccomp filter");
  return read_all(source, kMaxFilterBytes, "seccomp filter");
}

}  // namespace lade::sandbox
