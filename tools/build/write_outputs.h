/// Writes the result of a build where the options say.
#pragma once
#include <stop_token>
#include <vector>

#include "libimage/build/build.h"

#include "tools/build/output_spec.h"
#include "tools/common/images.h"

namespace lade::tools {

struct OutputContext {
  const build::BuildOptions& options;
  const build::BuildResult& result;
  Session& session;
  Stores& stores;
  ProgressObserver& progress;
  std::stop_token stop;
};

/// What would be refused after the build, refused before it. Throws Error and UsageError.
void check_outputs(const std::vector<OutputSpec>& outputs, const build::BuildOptions& options);

/// Writes all of them, several at once; images get their names after the outputs before them.
void write_outputs(const std::vector<OutputSpec>& outputs, const OutputContext& context);

/// The files of --iidfile, --iidfile-raw, --digestfile and --metadata-file.
void write_result_files(const Arguments& arguments, const build::BuildResult& result);

/// Builds once more, without the cache and in a store of its own, and throws
/// Error{digest_mismatch} that says where the two results differ first.
void verify_reproducible(const build::BuildOptions& options, const build::BuildServices& services,
                         const build::BuildResult& result, const std::stop_token& stop);

}  // namespace lade::tools
