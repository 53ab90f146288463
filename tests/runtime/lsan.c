// SPDX-License-Identifier: MIT
/*
 * For the leak sanitizer: it crashes on the thread-local data of libdw, which comes with the first
 * fault that is reported, and leaks of libdw are its own.
 */
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *__lsan_default_options(void)
{
	return "use_tls=0:print_suppressions=0";
}

const char *__lsan_default_suppressions(void)
{
	return "leak:libdw";
}
