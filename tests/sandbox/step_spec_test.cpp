#include "libimage/sandbox/step_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/sandbox/capabilities.h"
#include "libimage/sandbox/mount_options.h"
#include "libimage/sandbox/validate.h"

namespace lade::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

StepSpec full_spec() {
  StepSpec spec;
  spec.config = default_config();
  spec.config.process.args = {"a", "", std::string("b\0c", 3)};
  spec.config.process.env = {"X=1"};
  spec.config.process.user = {1, 2, {3, 4}, 077U};
  spec.config.process.rlimits = {{"RLIMIT_CORE", 0, ~std::uint64_t{0}}};
  spec.config.root.overlay = OverlayRoot{{"l1", "l2"}, "u", "w"};
  spec.config.mounts.push_back({.destination = "/o",
                                .type = "overlay",
                                .source = "piece",
                                .options = {"ro"},
                                .overlay = OverlayRoot{{"l"}, "u", "w"}});
  spec.config.mounts.push_back(
      {.destination = "/c", .type = "content", .source = {}, .content = "text"});
  spec.seccomp_filter = std::string(16, '\1');
  spec.mount_fds = {-1, 7};
  spec.channel = 5;
  return spec;
}

RuntimeConfig valid() {
  RuntimeConfig config = default_config();
  config.root.path = "/root";
  config.process.args = {"true"};
  return config;
}

template <typename Change>
std::string refusal(const Change& change) {
  RuntimeConfig config = valid();
  change(config);
  try {
    validate_step(config);
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(StepSpec, ReadsWhatItWrites) {
  const std::string bytes = encode(full_spec());
  const StepSpec read = decode_step_spec(bytes);
  EXPECT_EQ(encode(read), bytes);
  EXPECT_EQ(read.config.process.args[2], std::string("b\0c", 3));
  EXPECT_EQ(read.config.root.overlay->lower, (std::vector<std::string>{"l1", "l2"}));
  EXPECT_EQ(read.config.mounts.back().content, "text");
  EXPECT_EQ((read.config.mounts.end() - 2)->overlay->lower, std::vector<std::string>{"l"});
  EXPECT_EQ(read.config.namespaces, full_spec().config.namespaces);
  EXPECT_EQ(read.mount_fds, (std::vector<int>{-1, 7}));
}

TEST(StepSpec, RefusesDamagedBytes) {
  const std::string bytes = encode(full_spec());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THROW((void)decode_step_spec(bytes.substr(0, length)), Error) << length;
  }
  EXPECT_THROW((void)decode_step_spec(bytes + "x"), Error);
  std::string huge = bytes;
  for (std::size_t i = 12; i < 20; ++i) huge[i] = '\xff';  // the length of the first text
  EXPECT_THROW((void)decode_step_spec(huge), Error);
}

TEST(Validate, TakesTheDefaults) { EXPECT_NO_THROW(validate_step(valid())); }

TEST(Validate, NamesWhatIsWrong) {
  using C = RuntimeConfig;
  EXPECT_THAT(refusal([](C& c) { c.process.args.clear(); }), HasSubstr("no command"));
  EXPECT_THAT(refusal([](C& c) { c.process.args = {std::string("a\0b", 3)}; }), HasSubstr("NUL"));
  EXPECT_THAT(refusal([](C& c) { c.process.cwd = "work"; }),
              HasSubstr("process.cwd 'work' is not an absolute path"));
  EXPECT_THAT(refusal([](C& c) { c.process.user.uid = ~0U; }), HasSubstr("4294967295"));
  EXPECT_THAT(refusal([](C& c) { c.process.user.additional_gids = {~0U}; }),
              HasSubstr("4294967295"));
  EXPECT_THAT(refusal([](C& c) { c.process.capabilities.bounding = {"CAP_FLY"}; }),
              HasSubstr("'CAP_FLY'"));
  EXPECT_THAT(refusal([](C& c) {
                c.process.rlimits = {{"RLIMIT_X", 1, 1}};
              }),
              HasSubstr("'RLIMIT_X'"));
  EXPECT_THAT(refusal([](C& c) {
                c.process.rlimits = {{"RLIMIT_CPU", 2, 1}};
              }),
              HasSubstr("above the hard"));
  EXPECT_THAT(refusal([](C& c) { c.root = {}; }), HasSubstr("either a directory or an overlay"));
  EXPECT_THAT(refusal([](C& c) {
                c.root = {"", OverlayRoot{{}, "u", "w"}};
              }),
              HasSubstr("no lower"));
  EXPECT_THAT(refusal([](C& c) {
                c.root = {"", OverlayRoot{std::vector<std::string>(501, "l"), "u", "w"}};
              }),
              HasSubstr("the limit is 500"));
  EXPECT_THAT(refusal([](C& c) { c.hostname = std::string(65, 'a'); }), HasSubstr("64 bytes"));
  EXPECT_THAT(refusal([](C& c) {
                c.mounts.push_back({"x", "tmpfs", ""});
              }),
              HasSubstr("not an absolute path"));
  EXPECT_THAT(refusal([](C& c) {
                c.mounts.push_back({"/x", "nfs", ""});
              }),
              HasSubstr("type 'nfs' is not supported"));
  EXPECT_THAT(refusal([](C& c) {
                c.mounts.push_back({"/x", "bind", ""});
              }),
              HasSubstr("without a source"));
  EXPECT_THAT(refusal([](C& c) {
                c.mounts.push_back({"/x", "bind", "/y", {"size=1"}});
              }),
              HasSubstr("option 'size=1' is not one that 'bind' takes"));
  EXPECT_THAT(
      refusal([](C& c) {
        c.mounts.push_back({.destination = "/x", .type = "tmpfs", .overlay = OverlayRoot{}});
      }),
      HasSubstr("belong to an overlay"));
  EXPECT_THAT(
      refusal([](C& c) {
        c.mounts.push_back({.destination = "/x", .type = "tmpfs", .source = {}, .content = "text"});
      }),
      HasSubstr("holds no content"));
  EXPECT_THAT(refusal([](C& c) { c.masked_paths = {"x"}; }), HasSubstr("masked path"));
  EXPECT_THAT(refusal([](C& c) { c.namespaces.erase(Namespace::pid); }),
              HasSubstr("mount and pid"));
  EXPECT_THAT(refusal([](C& c) { c.namespaces[Namespace::user]; }),
              HasSubstr("needs linux.uidMappings"));
}

TEST(MountOptions, TakeTheLastWordOnTheSameThing) {
  const MountOptions options = parse_mount_options(
      {"/x", "bind", "/y", {"ro", "noexec", "rw", "noatime", "relatime", "rbind"}});
  EXPECT_EQ(options.set, 8U) << "noexec alone";
  EXPECT_EQ(options.clear & 1U, 1U) << "rw";
  EXPECT_TRUE(options.recursive);
}

TEST(MountOptions, KeepTheFileSystemsOwnWords) {
  const MountOptions options =
      parse_mount_options({"/x", "tmpfs", "", {"size=1m", "mode=755", "nodev"}});
  EXPECT_THAT(options.data, ElementsAre(std::pair("size", "1m"), std::pair("mode", "755")));
  EXPECT_THROW((void)parse_mount_options({"/x", "tmpfs", "", {"=1"}}), Error);
  EXPECT_THROW((void)parse_mount_options({"/x", "bind", "/y", {"hidepid=2"}}), Error);
}

TEST(Capabilities, HaveTheirNumbers) {
  EXPECT_EQ(capability_mask(default_config().process.capabilities.bounding), 0x800405fbU);
  EXPECT_EQ(capability_number("CAP_CHECKPOINT_RESTORE"), 40U);
  EXPECT_FALSE(capability_number("chown"));
}

}  // namespace
}  // namespace lade::sandbox
