/**
 * The three spellings of a date in HTTP, as a number, without a clock of its own.
 * Source: RFC 9110 5.6.7.
 */
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day'
const MONTH = `(?<month>${MONTHS.replace(/(?<=.)(?=[A-Z])/g, '|')})`
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)'

const FORMS = [
  // Sun, 06 Nov 1994 08:49:37 GMT: what everyone has sent for decades
  new RegExp(`^${DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  // Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`),
  // Sun Nov  6 08:49:37 1994
  new RegExp(`^${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
]

const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]
const DAYS_IN_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const DAYS_BEFORE_1970 = 719_162
const YEAR_MS = 31_556_952_000
const ERA_YEARS = 100
const MAX_YEARS_AHEAD = 50

/**
 * @param text a field's value as it came
 * @param nowMs for the old form's two-digit year: more than 50 years ahead is a century back
 * @returns milliseconds since 1970, or null for what is no date: such a field is to be ignored
 */
export function parseHttpDate(text: string, nowMs: number): number | null {
  for (const form of FORMS) {
    const parts = form.exec(text)?.groups
    if (parts !== undefined) return millisecondsOf(parts, nowMs)
  }
  return null
}

function millisecondsOf(parts: Record<string, string>, nowMs: number): number | null {
  const month = MONTHS.indexOf(parts['month']!) / 3
  const day = Number(parts['day'])
  const year =
    parts['year']!.length === 2 ? wholeYear(Number(parts['year']), nowMs) : +parts['year']!
  if (day < 1 || day > DAYS_IN_MONTH[month]! || (month === 1 && day === 29 && !isLeap(year)))
    return null
  const leapDay = month > 1 && isLeap(year) ? 1 : 0
  const days = daysBefore(year) + DAYS_BEFORE_MONTH[month]! + leapDay + day - 1
  const hours = days * 24 + Number(parts['hour'])
  return ((hours * 60 + Number(parts['minute'])) * 60 + Number(parts['second'])) * 1000
}

/** The year with these last two digits that is not more than 50 years ahead. */
function wholeYear(twoDigits: number, nowMs: number): number {
  const thisYear = 1970 + Math.floor(nowMs / YEAR_MS)
  const year = thisYear - (thisYear % ERA_YEARS) + twoDigits
  return year > thisYear + MAX_YEARS_AHEAD ? year - ERA_YEARS : year
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
}

/** Days from 1970 to a year's first. */
function daysBefore(year: number): number {
  const past = year - 1
  const leaps = Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400)
  return past * 365 + leaps - DAYS_BEFORE_1970
}
