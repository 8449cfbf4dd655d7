// The features document (runtime-spec features.md).
#include <array>

#include "libimage/oci/json_writer.h"
#include "libimage/runtime/container.h"
#include "libimage/sandbox/capabilities.h"
#include "libimage/sandbox/enum_names.h"
#include "libimage/sandbox/mount_options.h"

namespace lade::runtime {
namespace {

using oci::json::ObjectWriter;

template <typename E>
std::vector<std::string> names_of() {
  std::vector<std::string> names;
  for (const auto& [name, value] : sandbox::EnumNames<E>::kNames) names.emplace_back(name);
  return names;
}

std::string enabled(bool on) {
  ObjectWriter out;
  out.raw("enabled", on ? "true" : "false");
  return out.finish();
}

std::string cgroup_features() {
  ObjectWriter out;
  out.raw("v1", "true");
  out.raw("v2", "true");
  out.raw("systemd", "false");
  out.raw("systemdUser", "false");
  out.raw("rdma", "false");
  return out.finish();
}

std::string seccomp_features() {
  constexpr std::array<const char*, 19> kArchitectures = {
      "SCMP_ARCH_AARCH64",   "SCMP_ARCH_ARM",      "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",
      "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",   "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
      "SCMP_ARCH_PARISC",    "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC",      "SCMP_ARCH_PPC64",
      "SCMP_ARCH_PPC64LE",   "SCMP_ARCH_RISCV64",  "SCMP_ARCH_S390",     "SCMP_ARCH_S390X",
      "SCMP_ARCH_X32",       "SCMP_ARCH_X86",      "SCMP_ARCH_X86_64"};
  constexpr std::array<const char*, 3> kFlags = {
      "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"};
  ObjectWriter out;
  out.raw("enabled", "true");
  out.strings("actions", names_of<sandbox::SeccompAction>());
  out.strings("operators", names_of<sandbox::SeccompCompare>());
  out.strings("archs", kArchitectures);
  out.strings("knownFlags", kFlags);
  out.strings("supportedFlags", kFlags);
  return out.finish();
}

std::string linux_features() {
  ObjectWriter mounts;
  mounts.raw("idmap", enabled(true));
  ObjectWriter out;
  out.strings("namespaces", names_of<sandbox::Namespace>());
  out.strings("capabilities", sandbox::capability_names());
  out.raw("cgroup", cgroup_features());
  out.raw("seccomp", seccomp_features());
  out.raw("apparmor", enabled(true));
  out.raw("selinux", enabled(true));
  out.raw("intelRdt", enabled(false));
  out.raw("mountExtensions", mounts.finish());
  return out.finish();
}

}  // namespace

std::string features_document() {
  constexpr std::array<const char*, 6> kHooks = {
      "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};
  ObjectWriter out;
  out.string("ociVersionMin", "1.0.0");
  out.string("ociVersionMax", "1.2.1");
  out.strings("hooks", kHooks);
  out.strings("mountOptions", sandbox::mount_option_words());
  out.raw("linux", linux_features());
  return out.finish();
}

}  // namespace lade::runtime
