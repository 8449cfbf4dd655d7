#include "libimage/name/platform.h"

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade {
namespace {

using oci::to_string;

std::string parsed(std::string_view text) { return to_string(parse_platform(text)); }

TEST(ParsePlatform, Normalises) {
  const struct {
    std::string text, platform;
  } table[] = {
      {"linux/amd64", "linux/amd64"},
      {"linux/amd64/v1", "linux/amd64"},
      {"linux/amd64/v3", "linux/amd64/v3"},
      {"linux/amd64/3", "linux/amd64/v3"},
      {"linux/x86_64", "linux/amd64"},
      {"linux/x86-64", "linux/amd64"},
      {"Linux/AMD64", "linux/amd64"},
      {"linux/i386", "linux/386"},
      {"linux/i686", "linux/386"},
      {"linux/aarch64", "linux/arm64"},
      {"linux/arm64/v8", "linux/arm64"},
      {"linux/arm64/8", "linux/arm64"},
      {"linux/arm64/v8.0", "linux/arm64"},
      {"linux/arm64/v8.1", "linux/arm64/v8.1"},
      {"linux/arm64/v9", "linux/arm64/v9"},
      {"linux/arm", "linux/arm/v7"},
      {"linux/arm/6", "linux/arm/v6"},
      {"linux/arm/v5", "linux/arm/v5"},
      {"linux/armhf", "linux/arm/v7"},
      {"linux/armel", "linux/arm/v6"},
      {"linux/ppc64el", "linux/ppc64le"},
      {"linux/loongarch64", "linux/loong64"},
      {"macos/arm64", "darwin/arm64"},
      {"windows/amd64:10.0.17763.1", "windows/amd64:10.0.17763.1"},
      {"arm64", "linux/arm64"},
      {"aarch64", "linux/arm64"},
      {"s390x", "linux/s390x"},
      {"arm", "linux/arm/v7"},
      {"newos/newcpu/v1", "newos/newcpu/v1"},
  };
  for (const auto& [text, platform] : table) {
    EXPECT_EQ(parsed(text), platform) << text;
    EXPECT_EQ(parsed(platform), platform) << "not stable";
  }
}

TEST(ParsePlatform, TakesTheHostsArchitectureForAnOperatingSystemAlone) {
  EXPECT_EQ(parse_platform("linux"), normalised(host_platform()));
  EXPECT_EQ(parse_platform("windows").os, "windows");
  EXPECT_EQ(parse_platform("windows").architecture, host_platform().architecture);
}

TEST(ParsePlatform, RefusesNonsense) {
  for (const char* bad : {"", "/", "linux/", "/amd64", "linux//v1", "a/b/c/d", "lin ux/amd64",
                          "foo", "linux/amd64:", "linux/\x1b[2J", "linux/amd64/v1/x", "*/*"}) {
    SCOPED_TRACE(bad);
    try {
      parse_platform(bad);
      ADD_FAILURE() << "accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument);
      EXPECT_EQ(std::string(e.what()).find('\x1b'), std::string::npos);
    }
  }
}

TEST(HostPlatform, IsNormalisedAndStable) {
  EXPECT_EQ(host_platform().os, "linux");
  EXPECT_FALSE(host_platform().architecture.empty());
  EXPECT_EQ(normalised(host_platform()), host_platform());
}

/// Candidates "a, b, -": "-" has no platform.
std::vector<oci::Descriptor> candidates(std::string_view list) {
  std::vector<oci::Descriptor> out;
  for (const std::string_view text : split(list, ',')) {
    oci::Descriptor entry{.digest = sha256_of(cat(out.size()))};
    const std::string_view name = trimmed(text);
    if (name != "-") {
      const auto parts = split(name.substr(0, name.find(':')), '/');
      entry.platform = oci::Platform{.architecture = std::string(parts.at(1)),
                                     .os = std::string(parts.at(0)),
                                     .variant = parts.size() > 2 ? std::string(parts[2]) : ""};
      if (const std::size_t colon = name.find(':'); colon != std::string_view::npos) {
        entry.platform->os_version = name.substr(colon + 1);
      }
    }
    out.push_back(std::move(entry));
  }
  return out;
}

TEST(ChoosePlatform, TakesTheBestMatch) {
  const struct {
    std::string wanted, list;
    std::optional<std::size_t> best;
  } table[] = {
      {"linux/amd64", "linux/arm64, linux/amd64", 1},
      {"linux/amd64", "linux/arm64, linux/s390x", std::nullopt},
      {"linux/amd64", "windows/amd64, linux/386", std::nullopt},
      {"linux/amd64", "linux/amd64, linux/amd64", 0},  // first match wins
      {"linux/amd64", "linux/x86_64", 0},
      {"linux/amd64", "linux/amd64/v1", 0},
      {"linux/amd64", "linux/amd64/v2, linux/amd64", 1},
      {"linux/amd64", "linux/amd64/v2", std::nullopt},
      {"linux/amd64/v3", "linux/amd64, linux/amd64/v2, linux/amd64/v4", 1},
      {"linux/amd64/v3", "linux/amd64, linux/amd64/v3, linux/amd64/v2", 1},
      {"linux/amd64/v3", "linux/amd64", 0},
      {"linux/arm", "linux/arm/v5, linux/arm/v7, linux/arm/v6", 1},
      {"linux/arm/v6", "linux/arm/v5, linux/arm/v7, linux/arm/v6", 2},
      {"linux/arm/v6", "linux/arm/v5, linux/arm/v7", 0},
      {"linux/arm/v6", "linux/arm", std::nullopt},
      {"linux/arm/v8", "linux/arm/v6, linux/arm", 1},
      {"linux/arm64", "linux/arm64/v8", 0},
      {"linux/arm64", "linux/arm64/v8.1, linux/arm64", 1},
      {"linux/arm64", "linux/arm64/v9", std::nullopt},
      {"linux/arm64/v9", "linux/arm64, linux/arm64/v8.5, linux/arm64/v8.6", 1},
      {"linux/arm64/v9.2", "linux/arm64/v8.7, linux/arm64/v9.1, linux/arm64/v9.3", 1},
      {"linux/arm64", "linux/arm/v7", std::nullopt},
      {"linux/ppc64le", "linux/ppc64le/power9, linux/ppc64le", 1},
      {"linux/ppc64le/power10", "linux/ppc64le/power8, linux/ppc64le/power9", 1},
      {"linux/riscv64", "linux/riscv64/rva23u64, linux/riscv64", 1},
      {"linux/riscv64/rva22u64", "linux/riscv64, linux/riscv64/rva22u64", 1},
      {"linux/s390x", "linux/s390x/z15, linux/s390x", 1},
      {"linux/s390x/z15", "linux/s390x", 0},
      {"linux/s390x/z15", "linux/s390x, linux/s390x/z15", 1},
      {"linux/amd64/odd", "linux/amd64", 0},
      {"linux/amd64", "linux/amd64/odd", std::nullopt},
      {"linux/amd64", "unknown/unknown, linux/amd64", 1},
      {"linux/amd64", "unknown/unknown", std::nullopt},
      {"linux/amd64", "-", 0},
      {"linux/amd64", "-, unknown/unknown", 0},
      {"linux/amd64", "-, -", std::nullopt},
      {"linux/amd64", "-, linux/arm64", std::nullopt},
      {"linux/amd64", "-, linux/amd64", 1},
      {"windows/amd64:10.0.17763.1", "windows/amd64:10.0.20348.1, windows/amd64:10.0.17763.99", 1},
      {"windows/amd64:10.0.17763.1", "windows/amd64:10.0.17763.99, windows/amd64:10.0.17763.1", 1},
      {"windows/amd64:10.0.17763.1", "windows/amd64:10.0.20348.1", std::nullopt},
      {"windows/amd64:10.0.17763.1", "windows/amd64", 0},
      {"windows/amd64", "windows/amd64:10.0.20348.1, windows/amd64:10.0.17763.1", 0},
      {"freebsd/amd64:14", "freebsd/amd64:13, freebsd/amd64:14", 1},
      {"freebsd/amd64:14", "freebsd/amd64:13", std::nullopt},
  };
  for (const auto& [wanted, list, best] : table) {
    EXPECT_EQ(choose_platform(candidates(list), parse_platform(wanted)), best)
        << wanted << " of " << list;
  }
}

TEST(ChoosePlatform, PrefersImagesThatAskForNoMoreFeatures) {
  auto list = candidates("windows/amd64, windows/amd64");
  list[0].platform->os_features = {"win32k"};
  EXPECT_EQ(choose_platform(list, parse_platform("windows/amd64")), 1U);
  oci::Platform wanted = parse_platform("windows/amd64");
  wanted.os_features = {"win32k"};
  EXPECT_EQ(choose_platform(list, wanted), 0U);
  list.pop_back();
  EXPECT_EQ(choose_platform(list, parse_platform("windows/amd64")), 0U);
}

TEST(ChoosePlatform, PrefersAnImageToAnArtifactListedBesideIt) {
  auto list = candidates("linux/amd64, linux/amd64, linux/amd64");
  list[1].media_type = oci::kImageManifest;
  list[1].artifact_type = "application/vnd.example.file.index+json";
  list[2].media_type = oci::kImageManifest;
  EXPECT_EQ(choose_platform(list, parse_platform("linux/amd64")), 2U);
}

TEST(ChoosePlatform, FindsNothingInAnEmptyList) {
  EXPECT_EQ(choose_platform({}, parse_platform("linux/amd64")), std::nullopt);
}

TEST(PlatformFits, IsTheSameQuestionForOne) {
  EXPECT_TRUE(platform_fits(parse_platform("linux/amd64"), parse_platform("linux/amd64/v2")));
  EXPECT_FALSE(platform_fits(parse_platform("linux/amd64/v2"), parse_platform("linux/amd64")));
  EXPECT_FALSE(platform_fits({.architecture = "unknown", .os = "unknown"},
                             {.architecture = "unknown", .os = "unknown"}));
}

}  // namespace
}  // namespace lade
