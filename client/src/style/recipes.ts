// Recipes: composites of ranges of channels in place of single ones, as the server understands them. Elements are
// joined by semicolons here, and are repeated `mix` keys in an address.

export interface Recipe {
  readonly text: string
  readonly label: string
}

/** No recipe: the channels of the list. */
export const NO_RECIPE = ''

export const RECIPES: readonly Recipe[] = [
  { text: NO_RECIPE, label: 'Chosen channels' },
  { text: 'range:*:blue..lime..red', label: 'All channels, blue to red' },
  { text: 'range:*:red..lime..blue', label: 'All channels, red to blue' },
  { text: 'cie', label: 'True colour (CIE 1931)' },
  { text: 'pca', label: 'Principal components' },
  { text: 'max:*', label: 'Maximum of all channels' },
  { text: 'mean:*', label: 'Mean of all channels' },
  { text: 'sum:*', label: 'Sum of all channels' },
]

export const elementsOf = (recipe: string): string[] =>
  recipe
    .split(';')
    .map((element) => element.trim())
    .filter((element) => element !== '')

/** Whether a recipe makes one plane, which is shown through a colormap. */
export const isCollapse = (recipe: string): boolean => /^\s*(max|min|mean|sum):/.test(recipe)
