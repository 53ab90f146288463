/* SPDX-License-Identifier: MIT */
#ifndef MCU_LOG_H
#define MCU_LOG_H

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
};

/*
 * log_print() - a line for the log ring: "[   12.345678] I unit: text"
 * @level: lines above LOG_LEVEL, a build option, are dropped
 * @unit: which part of the firmware speaks
 * @format: %c %s %d %u %x, l for 64 bits, and a field width, with 0 to fill with zeros
 */
void log_print(enum log_level level, const char *unit, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_err(...) log_print(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_print(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_print(LOG_INFO, __VA_ARGS__)

#endif /* MCU_LOG_H */
