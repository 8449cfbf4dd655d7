#include <algorithm>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>

#include "libimage/base/error.h"
#include "libimage/io/path.h"
#include "libimage/sandbox/runtime_config.h"
#include "libimage/sandbox/seccomp_filter.h"

namespace lade::sandbox {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::set<std::string> allowed_names(const SeccompRules& rules) {
  std::set<std::string> names;
  for (const SeccompRule& rule : rules.rules) {
    if (rule.action == SeccompAction::allow) names.insert(rule.names.begin(), rule.names.end());
  }
  for (const SeccompRule& rule : rules.rules) {  // a condition refuses what an earlier rule allows
    if (rule.action == SeccompAction::error && rule.arguments.empty()) {
      for (const std::string& name : rule.names) names.erase(name);
    }
  }
  return names;
}

std::string failure_of(const std::string& json) {
  try {
    (void)compile_seccomp(parse_seccomp_profile(json, {}));
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Seccomp, AllowsByDefaultWhatTheContainersProfileAllows) {
  const std::string json = read_file("/usr/share/containers/seccomp.json", 1 << 20);
  for (const auto& extra : std::vector<std::set<std::string>>{
           {}, {"CAP_SYS_ADMIN"}, {"CAP_SYS_PTRACE", "CAP_AUDIT_WRITE"}}) {
    Capabilities capabilities = StepRights::default_capabilities();
    capabilities.insert(extra.begin(), extra.end());
    const auto theirs = allowed_names(parse_seccomp_profile(json, capabilities));
    const auto ours = allowed_names(default_seccomp_rules(capabilities));
    std::vector<std::string> missing;
    std::set_difference(theirs.begin(), theirs.end(), ours.begin(), ours.end(),
                        std::back_inserter(missing));
    EXPECT_THAT(missing, IsEmpty());
    std::vector<std::string> more;
    std::set_difference(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                        std::back_inserter(more));
    EXPECT_THAT(more, ::testing::ElementsAre(
                          "cachestat", "fchmodat2", "futex_requeue", "futex_wait", "futex_waitv",
                          "futex_wake", "map_shadow_stack", "mseal", "set_mempolicy_home_node"))
        << "newer than that copy of the profile";
  }
}

TEST(Seccomp, MakesFiltersThatTheKernelTakes) {
  const Capabilities capabilities = StepRights::default_capabilities();
  const std::string filter = compile_seccomp(default_seccomp_rules(capabilities));
  EXPECT_EQ(filter.size() % sizeof(sock_filter), 0U);
  EXPECT_GT(filter.size() / sizeof(sock_filter), 300U);
  EXPECT_LE(filter.size() / sizeof(sock_filter), std::size_t{BPF_MAXINSNS});
  EXPECT_EQ(filter, compile_seccomp(default_seccomp_rules(capabilities))) << "always the same";
}

TEST(Seccomp, ReadsTheRuntimeSpecificationsFormat) {
  const SeccompRules rules = parse_seccomp_profile(
      R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5, "architectures": ["SCMP_ARCH_X86"],
          "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW",
                        "args": [{"index": 1, "value": 18446744073709551615, "valueTwo": 3, "op": "SCMP_CMP_MASKED_EQ"}]},
                       {"name": "kill", "action": "SCMP_ACT_ERRNO", "errno": "EACCES"}]})",
      {});
  EXPECT_EQ(rules.default_error, 5);
  ASSERT_EQ(rules.rules.size(), 2U);
  EXPECT_THAT(rules.rules[0].names, ::testing::ElementsAre("read", "write"));
  EXPECT_EQ(rules.rules[0].arguments[0].value, ~std::uint64_t{0});
  EXPECT_EQ(rules.rules[0].arguments[0].compare, SeccompCompare::masked_equal);
  EXPECT_EQ(rules.rules[1].error, EACCES);
  EXPECT_FALSE(compile_seccomp(rules).empty());
}

TEST(Seccomp, KeepsRulesByCapabilityArchitectureAndKernel) {
  const std::string json = R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
      {"names": ["a"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_CHOWN", "CAP_KILL"]}},
      {"names": ["b"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_CHOWN"]}},
      {"names": ["c"], "action": "SCMP_ACT_ERRNO", "includes": {"arches": ["s390x"]}},
      {"names": ["d"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "4.8"}},
      {"names": ["e"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "1000.0"}}]})";
  const auto names = [&](const Capabilities& capabilities) {
    std::string all;
    for (const SeccompRule& rule : parse_seccomp_profile(json, capabilities).rules)
      all += rule.names[0];
    return all;
  };
  EXPECT_EQ(names({}), "bd");
  EXPECT_EQ(names({"CAP_CHOWN"}), "d");
  EXPECT_EQ(names({"CAP_CHOWN", "CAP_KILL"}), "ad");
}

TEST(Seccomp, RefusesProfilesThatAreWrong) {
  EXPECT_THAT(failure_of("[]"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(failure_of("{"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(failure_of("{}"), HasSubstr("has no defaultAction"));
  EXPECT_THAT(failure_of(R"({"defaultAction": 7})"), HasSubstr("is not a string"));
  EXPECT_THAT(failure_of(R"({"defaultAction": "ALLOW"})"), HasSubstr("action 'ALLOW' is unknown"));
  const auto with_rule = [](const std::string& rule) {
    return failure_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [)" + rule + "]}");
  };
  EXPECT_THAT(with_rule("3"), HasSubstr("a rule is not an object"));
  EXPECT_THAT(with_rule(R"({"names": ["read"]})"), HasSubstr("a rule has no action"));
  EXPECT_THAT(with_rule(R"({"names": "read", "action": "SCMP_ACT_ERRNO"})"),
              HasSubstr("names is not a list"));
  EXPECT_THAT(with_rule(R"({"names": ["read"], "action": "SCMP_ACT_NOTIFY"})"),
              HasSubstr("not supported"));
  EXPECT_THAT(with_rule(R"({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 70000})"),
              HasSubstr("errnoRet is no errno"));
  EXPECT_THAT(
      with_rule(
          R"({"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]})"),
      HasSubstr("index is above 5"));
  EXPECT_THAT(failure_of(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["PDP11"]})"),
              HasSubstr("architecture 'PDP11' is unknown"));
  EXPECT_THAT(with_rule(R"({"names": ["not_a_call"], "action": "SCMP_ACT_ERRNO"})"), IsEmpty())
      << "names of other kernels are skipped";
}

}  // namespace
}  // namespace lade::sandbox
