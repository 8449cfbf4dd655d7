// Git repositories as ADD and contexts name them.
#include "libimage/build/git_url.h"

#include <gmock/gmock.h>

#include "libimage/base/error.h"

namespace lade::build {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  try {
    (void)parse_git_url(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

TEST(GitUrl, IsToldFromOtherUrls) {
  for (const char* text :
       {"https://h/r.git", "http://h/a/b.git#main:sub", "git://h/r", "ssh://u@h/r",
        "git@h.example:a/b", "https://h/r.git?branch=x", "HTTPS://h/r.git"})
    EXPECT_TRUE(is_git_url(text)) << text;
  for (const char* text : {"https://h/r", "https://h/r.git/file", "file.git", "./git@h:x", "a@b",
                           "u@h://x", "ftp://h/r.git", "dir/x.git"})
    EXPECT_FALSE(is_git_url(text)) << text;
}

TEST(GitUrl, TakesRefAndSubdirectoryFromTheFragment) {
  const GitUrl url = parse_git_url("https://h.example:8080/a/b.git#v1.2:/docs/../src/");
  EXPECT_EQ(url.remote, "https://h.example:8080/a/b.git");
  EXPECT_EQ(url.host, "h.example");
  EXPECT_EQ(url.origin(), "https://h.example:8080");
  EXPECT_EQ(url.ref, "v1.2");
  EXPECT_EQ(url.subdirectory, "src");
  EXPECT_FALSE(url.commit().has_value());
  EXPECT_EQ(parse_git_url("git@h:r.git#:../../etc").subdirectory, "etc");
  EXPECT_EQ(parse_git_url("git://h/r#" + kCommit).commit(), kCommit);
}

TEST(GitUrl, TakesTheQueryForms) {
  const GitUrl url = parse_git_url(
      "https://h/r.git?branch=main&subdir=a%2Fb&keep-git-dir=1&submodules=false&mtime=checkout");
  EXPECT_EQ(url.ref, "refs/heads/main");
  EXPECT_EQ(url.subdirectory, "a/b");
  EXPECT_EQ(url.keep_git_dir, true);
  EXPECT_FALSE(url.submodules);
  EXPECT_EQ(url.time, GitUrl::Time::checkout);
  EXPECT_EQ(parse_git_url("https://h/r.git?tag=v1").ref, "refs/tags/v1");
  EXPECT_EQ(parse_git_url("https://h/r.git?checksum=" + kCommit).ref, kCommit);
  const GitUrl pinned = parse_git_url("https://h/r.git?ref=main&commit=0123456");
  EXPECT_EQ(pinned.ref, "main");
  EXPECT_EQ(pinned.checksum, "0123456");
}

TEST(GitUrl, DropsCredentialsOfHttp) {
  EXPECT_EQ(parse_git_url("https://user:secret@h/r.git").remote, "https://h/r.git");
  EXPECT_EQ(parse_git_url("ssh://git@h/r.git").remote, "ssh://git@h/r.git");
}

TEST(GitUrl, WhatContradictsItselfOrIsUnknownIsRefused) {
  EXPECT_THAT(error_of("https://h/r.git?brunch=main"), HasSubstr("did you mean branch?"));
  EXPECT_THAT(error_of("https://h/r.git?ref=a#b"), HasSubstr("contradicts"));
  EXPECT_THAT(error_of("https://h/r.git?subdir=a#b:c"), HasSubstr("contradicts"));
  EXPECT_THAT(error_of("https://h/r.git?tag=a&branch=b"), HasSubstr("only one of"));
  EXPECT_THAT(error_of("https://h/r.git?ref=a&ref=a"), HasSubstr("twice"));
  EXPECT_THAT(error_of("https://h/r.git?submodules=maybe"), HasSubstr("true or false"));
  EXPECT_THAT(error_of("https://h/r.git?checksum=xyz"), HasSubstr("no commit"));
}

TEST(GitUrl, NothingBecomesAnOptionOrAProtocol) {
  for (const char* text :
       {"https://h/r.git#--upload-pack=touch", "https://h/r.git?ref=--upload-pack%3Dx",
        "-oProxyCommand=x@h:r", "ssh://-oProxyCommand=x/r", "ssh://u@-x/r", "ext::sh -c id",
        "ssh://-u@h/r", "file:///etc/r.git", "https://h/r.git#a..b", "https://h/r.git#a b",
        "https://h/r.git#x\n", "https://h/", "https:///r.git", "git@h:", "https://h/r.git#a^{}",
        "git@h:r#@{u}"})
    EXPECT_THROW((void)parse_git_url(text), Error) << text;
}

}  // namespace
}  // namespace lade::build
